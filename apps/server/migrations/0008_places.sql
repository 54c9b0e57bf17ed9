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
ALTER TABLE "job" ADD COLUMN "failures" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "place_waiting" ON "place" USING btree ("noun","user_id","asked_at","id") WHERE taken_at is null and freed_at is null;--> statement-breakpoint
CREATE INDEX "place_taken" ON "place" USING btree ("noun","user_id","profile") WHERE taken_at is not null and freed_at is null;--> statement-breakpoint
CREATE INDEX "place_profile" ON "place" USING btree ("profile");--> statement-breakpoint
-- Data and triggers from here on; what is above is generated.
-- For each noun whose things take places: its table has these columns, and the three triggers below with its own name.
CREATE OR REPLACE FUNCTION "keep_place"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM place WHERE noun = TG_ARGV[0] AND id = OLD.id;
  ELSIF NEW.cleaned_at IS NOT NULL THEN
    DELETE FROM place WHERE noun = TG_ARGV[0] AND id = NEW.id;
  ELSE
    INSERT INTO place (noun, id, user_id, profile, revision, asked_at, is_wanted, taken_at, freed_at)
      VALUES (TG_ARGV[0], NEW.id, NEW.user_id, NEW.profile, NEW.profile_revision, NEW.created_at,
        NEW.cancel_requested_at IS NULL, NEW.admitted_at, NEW.finished_at)
      ON CONFLICT ON CONSTRAINT place_noun_id_pk DO UPDATE SET revision = excluded.revision,
        is_wanted = excluded.is_wanted, taken_at = excluded.taken_at, freed_at = excluded.freed_at;
  END IF;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER "job_place_made" AFTER INSERT ON "job" FOR EACH ROW WHEN (NEW.cleaned_at IS NULL) EXECUTE FUNCTION "keep_place"('job');--> statement-breakpoint
CREATE TRIGGER "job_place_changed" AFTER UPDATE OF "profile_revision", "cancel_requested_at", "admitted_at", "finished_at", "cleaned_at" ON "job" FOR EACH ROW
  WHEN ((OLD.profile_revision, OLD.cancel_requested_at, OLD.admitted_at, OLD.finished_at, OLD.cleaned_at) IS DISTINCT FROM
    (NEW.profile_revision, NEW.cancel_requested_at, NEW.admitted_at, NEW.finished_at, NEW.cleaned_at)) EXECUTE FUNCTION "keep_place"('job');--> statement-breakpoint
CREATE TRIGGER "job_place_gone" AFTER DELETE ON "job" FOR EACH ROW EXECUTE FUNCTION "keep_place"('job');--> statement-breakpoint
INSERT INTO "place" ("noun", "id", "user_id", "profile", "revision", "asked_at", "is_wanted", "taken_at", "freed_at")
SELECT 'job', "id", "user_id", "profile", "profile_revision", "created_at", "cancel_requested_at" IS NULL, "admitted_at", "finished_at"
FROM "job" WHERE "cleaned_at" IS NULL;--> statement-breakpoint
INSERT INTO "place_turn" ("noun", "user_id", "at")
SELECT 'job', "user_id", max("admitted_at") FROM "job" WHERE "admitted_at" IS NOT NULL GROUP BY 2;
