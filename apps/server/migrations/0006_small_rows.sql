CREATE TABLE "job_order" (
	"job_id" text PRIMARY KEY NOT NULL,
	"spec" text NOT NULL,
	"env_sealed" text,
	"env_names" jsonb DEFAULT '[]'::jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "minutes_used" (
	"user_id" text NOT NULL,
	"month" date NOT NULL,
	"ms" bigint NOT NULL,
	CONSTRAINT "minutes_used_user_id_month_pk" PRIMARY KEY("user_id","month")
);
--> statement-breakpoint
CREATE TABLE "profile_revision" (
	"profile" text NOT NULL,
	"revision" integer NOT NULL,
	"driver" text NOT NULL,
	"settings" jsonb NOT NULL,
	"limits" jsonb NOT NULL,
	"superseded_at" timestamp (3) with time zone,
	CONSTRAINT "profile_revision_profile_revision_pk" PRIMARY KEY("profile","revision")
);
--> statement-breakpoint
DROP INDEX "job_minutes";--> statement-breakpoint
DROP INDEX "job_group";--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "repo_root" text;--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "profile_revision" integer;--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "told_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "profile" ADD COLUMN "revision" integer DEFAULT 1 NOT NULL;--> statement-breakpoint
ALTER TABLE "job_order" ADD CONSTRAINT "job_order_job_id_job_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."job"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "job_of_state" ON "job" USING btree ("state","created_at","id");--> statement-breakpoint
CREATE INDEX "job_of_user_state" ON "job" USING btree ("user_id","state","created_at","id");--> statement-breakpoint
CREATE INDEX "job_of_user_agent" ON "job" USING btree ("user_id","agent","created_at","id");--> statement-breakpoint
CREATE INDEX "job_of_user_profile" ON "job" USING btree ("user_id","profile","created_at","id");--> statement-breakpoint
CREATE INDEX "job_of_user_repo" ON "job" USING btree ("user_id","repo_name","created_at","id");--> statement-breakpoint
CREATE INDEX "job_group" ON "job" USING btree ("user_id","group_name","created_at","id") WHERE group_name is not null;--> statement-breakpoint
-- Moves data: what may be large leaves the rows that lists read.
INSERT INTO "job_order" ("job_id", "spec", "env_sealed", "env_names") SELECT "id", "spec", "env_sealed", "env_names" FROM "job";--> statement-breakpoint
-- Moves data: the minutes of each month so far.
INSERT INTO "minutes_used" ("user_id", "month", "ms")
SELECT "user_id", date_trunc('month', "finished_at" AT TIME ZONE 'utc')::date,
  round(sum(extract(epoch FROM greatest("finished_at" - greatest("started_at", date_trunc('month', "finished_at" AT TIME ZONE 'utc') AT TIME ZONE 'utc'), interval '0'))) * 1000)
FROM "job" WHERE "started_at" IS NOT NULL AND "finished_at" IS NOT NULL GROUP BY 1, 2;--> statement-breakpoint
-- Moves data: what profiles are now is their first revision, and what runs was started with it.
INSERT INTO "profile_revision" ("profile", "revision", "driver", "settings", "limits") SELECT "name", 1, "driver", "settings", "limits" FROM "profile";--> statement-breakpoint
UPDATE "job" SET "profile_revision" = 1 WHERE "admitted_at" IS NOT NULL AND "cleaned_at" IS NULL;--> statement-breakpoint
-- Moves data: jobs that ended before they were let in never told their followers; they do now.
UPDATE "job" SET "wake_at" = now() WHERE "finished_at" IS NOT NULL AND "cleaned_at" IS NULL AND "wake_at" IS NULL AND "lease_until" IS NULL;--> statement-breakpoint
CREATE OR REPLACE FUNCTION "job_minutes"() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  begins timestamptz;
BEGIN
  -- What the row said before is taken back, what it says now is added: of the month in which the agent ended.
  IF TG_OP <> 'INSERT' AND OLD.started_at IS NOT NULL AND OLD.finished_at IS NOT NULL THEN
    begins := date_trunc('month', OLD.finished_at AT TIME ZONE 'utc') AT TIME ZONE 'utc';
    UPDATE minutes_used SET ms = ms - round(extract(epoch FROM greatest(OLD.finished_at - greatest(OLD.started_at, begins), interval '0')) * 1000)
      WHERE minutes_used.user_id = OLD.user_id AND minutes_used.month = (begins AT TIME ZONE 'utc')::date;
  END IF;
  IF TG_OP <> 'DELETE' AND NEW.started_at IS NOT NULL AND NEW.finished_at IS NOT NULL THEN
    begins := date_trunc('month', NEW.finished_at AT TIME ZONE 'utc') AT TIME ZONE 'utc';
    INSERT INTO minutes_used (user_id, month, ms)
      VALUES (NEW.user_id, (begins AT TIME ZONE 'utc')::date, round(extract(epoch FROM greatest(NEW.finished_at - greatest(NEW.started_at, begins), interval '0')) * 1000))
      ON CONFLICT ON CONSTRAINT minutes_used_user_id_month_pk DO UPDATE SET ms = minutes_used.ms + excluded.ms;
  END IF;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER "job_minutes_made" AFTER INSERT ON "job" FOR EACH ROW WHEN (NEW.started_at IS NOT NULL AND NEW.finished_at IS NOT NULL) EXECUTE FUNCTION "job_minutes"();--> statement-breakpoint
CREATE TRIGGER "job_minutes_changed" AFTER UPDATE OF "started_at", "finished_at" ON "job" FOR EACH ROW WHEN (OLD.started_at IS DISTINCT FROM NEW.started_at OR OLD.finished_at IS DISTINCT FROM NEW.finished_at) EXECUTE FUNCTION "job_minutes"();--> statement-breakpoint
CREATE TRIGGER "job_minutes_gone" AFTER DELETE ON "job" FOR EACH ROW WHEN (OLD.started_at IS NOT NULL AND OLD.finished_at IS NOT NULL) EXECUTE FUNCTION "job_minutes"();--> statement-breakpoint
ALTER TABLE "job" DROP COLUMN "spec";--> statement-breakpoint
ALTER TABLE "job" DROP COLUMN "env_sealed";--> statement-breakpoint
ALTER TABLE "job" DROP COLUMN "env_names";
