CREATE EXTENSION IF NOT EXISTS pg_trgm;--> statement-breakpoint
CREATE TABLE "job_search" (
	"job_id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"agent" text NOT NULL,
	"profile" text NOT NULL,
	"repo_name" text NOT NULL,
	"group_name" text,
	"text" text NOT NULL
);
--> statement-breakpoint
DROP INDEX "job_of_user_agent";--> statement-breakpoint
DROP INDEX "job_of_user_profile";--> statement-breakpoint
DROP INDEX "job_of_user_repo";--> statement-breakpoint
DROP INDEX "job_group";--> statement-breakpoint
ALTER TABLE "job_search" ADD CONSTRAINT "job_search_job_id_job_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."job"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
-- Moves data: what the jobs so far are found by. Before the indexes, which are then built at once.
INSERT INTO "job_search" ("job_id", "user_id", "created_at", "agent", "profile", "repo_name", "group_name", "text")
SELECT "id", "user_id", "created_at", "agent", "profile", "repo_name", "group_name", concat_ws(E'\n', "title", "repo_name", "id") FROM "job";--> statement-breakpoint
CREATE INDEX "job_search_of" ON "job_search" USING btree ("user_id","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_newest" ON "job_search" USING btree ("created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_agent_of" ON "job_search" USING btree ("user_id","agent","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_agent" ON "job_search" USING btree ("agent","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_profile_of" ON "job_search" USING btree ("user_id","profile","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_profile" ON "job_search" USING btree ("profile","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_repo_of" ON "job_search" USING btree ("user_id","repo_name","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_repo" ON "job_search" USING btree ("repo_name","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_group" ON "job_search" USING btree ("group_name","created_at","job_id") WHERE group_name is not null;--> statement-breakpoint
CREATE INDEX "job_search_text" ON "job_search" USING gin ("text" gin_trgm_ops);--> statement-breakpoint
CREATE OR REPLACE FUNCTION "job_search_made"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO job_search (job_id, user_id, created_at, agent, profile, repo_name, group_name, text)
    SELECT id, user_id, created_at, agent, profile, repo_name, group_name, concat_ws(E'\n', title, repo_name, id) FROM made;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER "job_search_made" AFTER INSERT ON "job" REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION "job_search_made"();
