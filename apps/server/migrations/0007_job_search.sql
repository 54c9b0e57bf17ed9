CREATE EXTENSION IF NOT EXISTS pg_trgm;--> statement-breakpoint
-- Trigrams are made of letters and digits, and which letters there are depends on how the database was made: here, each that is
-- not ASCII becomes a word of its own.
CREATE OR REPLACE FUNCTION "job_search_key"(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
  CASE WHEN said ~ '^[\x01-\x7f]*$' THEN lower(said) ELSE
    (SELECT string_agg(CASE WHEN ascii(letter) < 128 THEN letter ELSE 'u' || lpad(to_hex(ascii(letter)), 5, '0') END, '' ORDER BY place)
     FROM regexp_split_to_table(lower(said), '') WITH ORDINALITY letters(letter, place)) END;--> statement-breakpoint
CREATE TABLE "job_search" (
	"job_id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"agent" text NOT NULL,
	"profile" text NOT NULL,
	"repo_name" text NOT NULL,
	"group_name" text,
	"text" text NOT NULL,
	"key" text NOT NULL
);
--> statement-breakpoint
DROP INDEX "job_of_user_agent";--> statement-breakpoint
DROP INDEX "job_of_user_profile";--> statement-breakpoint
DROP INDEX "job_of_user_repo";--> statement-breakpoint
DROP INDEX "job_group";--> statement-breakpoint
ALTER TABLE "job_search" ADD CONSTRAINT "job_search_job_id_job_id_fk" FOREIGN KEY ("job_id") REFERENCES "public"."job"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
-- Moves data: what the jobs so far are found by. Before the indexes, which are then built at once.
INSERT INTO "job_search" ("job_id", "user_id", "created_at", "agent", "profile", "repo_name", "group_name", "text", "key")
SELECT "id", "user_id", "created_at", "agent", "profile", "repo_name", "group_name", said, job_search_key(said)
FROM "job", concat_ws(E'\n', "title", "repo_name", "id") said;--> statement-breakpoint
CREATE INDEX "job_search_of" ON "job_search" USING btree ("user_id","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_newest" ON "job_search" USING btree ("created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_agent_of" ON "job_search" USING btree ("user_id","agent","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_agent" ON "job_search" USING btree ("agent","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_profile_of" ON "job_search" USING btree ("user_id","profile","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_profile" ON "job_search" USING btree ("profile","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_repo_of" ON "job_search" USING btree ("user_id","repo_name","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_repo" ON "job_search" USING btree ("repo_name","created_at","job_id");--> statement-breakpoint
CREATE INDEX "job_search_group" ON "job_search" USING btree ("group_name","created_at","job_id") WHERE group_name is not null;--> statement-breakpoint
CREATE INDEX "job_search_text" ON "job_search" USING gin ("key" gin_trgm_ops);--> statement-breakpoint
CREATE OR REPLACE FUNCTION "job_search_made"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO job_search (job_id, user_id, created_at, agent, profile, repo_name, group_name, text, key)
    SELECT id, user_id, created_at, agent, profile, repo_name, group_name, said, job_search_key(said)
    FROM made, concat_ws(E'\n', title, repo_name, id) said;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER "job_search_made" AFTER INSERT ON "job" REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION "job_search_made"();
