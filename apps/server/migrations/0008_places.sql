CREATE TABLE "place_turn" (
	"noun" text NOT NULL,
	"user_id" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "place_turn_noun_user_id_pk" PRIMARY KEY("noun","user_id")
);
--> statement-breakpoint
CREATE TABLE "place" (
	"noun" text NOT NULL,
	"id" text NOT NULL,
	"user_id" text NOT NULL,
	"profile" text NOT NULL,
	"revision" integer,
	"asked_at" timestamp (3) with time zone NOT NULL,
	"is_wanted" boolean NOT NULL,
	"taken_at" timestamp (3) with time zone,
	"freed_at" timestamp (3) with time zone,
	CONSTRAINT "place_noun_id_pk" PRIMARY KEY("noun","id")
);
--> statement-breakpoint
DROP INDEX "job_queued";--> statement-breakpoint
DROP INDEX "job_active";--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "failures" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "place_waiting" ON "place" USING btree ("noun","user_id","asked_at","id") WHERE taken_at is null and freed_at is null;--> statement-breakpoint
CREATE INDEX "place_taken" ON "place" USING btree ("noun","user_id","profile") WHERE taken_at is not null and freed_at is null;--> statement-breakpoint
-- Data and triggers from here on; what is above is generated.
-- Keeps the place of each thing of a noun, and whose turn it was. The noun is called like its table, which has `placeColumns()`.
CREATE OR REPLACE FUNCTION "keep_place"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM place WHERE noun = TG_TABLE_NAME AND id = OLD.id;
    RETURN NULL;
  END IF;
  IF NEW.cleaned_at IS NOT NULL THEN
    DELETE FROM place WHERE noun = TG_TABLE_NAME AND id = NEW.id;
  ELSE
    INSERT INTO place (noun, id, user_id, profile, revision, asked_at, is_wanted, taken_at, freed_at)
      VALUES (TG_TABLE_NAME, NEW.id, NEW.user_id, NEW.profile, NEW.profile_revision, NEW.created_at,
        NEW.cancel_requested_at IS NULL, NEW.admitted_at, NEW.finished_at)
      ON CONFLICT ON CONSTRAINT place_noun_id_pk DO UPDATE SET revision = excluded.revision,
        is_wanted = excluded.is_wanted, taken_at = excluded.taken_at, freed_at = excluded.freed_at;
  END IF;
  IF NEW.admitted_at IS NOT NULL AND (TG_OP = 'INSERT' OR OLD.admitted_at IS DISTINCT FROM NEW.admitted_at) THEN
    INSERT INTO place_turn (noun, user_id, at) VALUES (TG_TABLE_NAME, NEW.user_id, NEW.admitted_at)
      ON CONFLICT ON CONSTRAINT place_turn_noun_user_id_pk DO UPDATE SET at = greatest(place_turn.at, excluded.at);
  END IF;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE OR REPLACE FUNCTION "take_places"(noun text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  seen text := '(%1$s.profile_revision, %1$s.cancel_requested_at, %1$s.admitted_at, %1$s.finished_at, %1$s.cleaned_at)';
BEGIN
  EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON %I FOR EACH ROW WHEN (NEW.cleaned_at IS NULL) EXECUTE FUNCTION keep_place()',
    noun || '_place_made', noun);
  EXECUTE format('CREATE TRIGGER %I AFTER UPDATE OF profile_revision, cancel_requested_at, admitted_at, finished_at, cleaned_at ON %I
    FOR EACH ROW WHEN (%s IS DISTINCT FROM %s) EXECUTE FUNCTION keep_place()',
    noun || '_place_changed', noun, format(seen, 'OLD'), format(seen, 'NEW'));
  EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON %I FOR EACH ROW EXECUTE FUNCTION keep_place()', noun || '_place_gone', noun);
END $$;--> statement-breakpoint
SELECT "take_places"('job');--> statement-breakpoint
INSERT INTO "place" ("noun", "id", "user_id", "profile", "revision", "asked_at", "is_wanted", "taken_at", "freed_at")
SELECT 'job', "id", "user_id", "profile", "profile_revision", "created_at", "cancel_requested_at" IS NULL, "admitted_at", "finished_at"
FROM "job" WHERE "cleaned_at" IS NULL;--> statement-breakpoint
INSERT INTO "place_turn" ("noun", "user_id", "at")
SELECT 'job', "user_id", max("admitted_at") FROM "job" WHERE "admitted_at" IS NOT NULL GROUP BY 2;
