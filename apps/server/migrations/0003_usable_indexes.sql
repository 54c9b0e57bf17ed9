DROP INDEX "activity_started";--> statement-breakpoint
DROP INDEX "job_of_user";--> statement-breakpoint
DROP INDEX "job_newest";--> statement-breakpoint
DROP INDEX "job_estimate";--> statement-breakpoint
DROP INDEX "job_minutes";--> statement-breakpoint
CREATE INDEX "activity_newest" ON "activity_message" USING btree ("n") WHERE type = 'DEVOPS_STARTED';--> statement-breakpoint
CREATE INDEX "activity_started" ON "activity_message" USING btree ("actor_id","n") WHERE type = 'DEVOPS_STARTED';--> statement-breakpoint
CREATE INDEX "job_of_user" ON "job" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "job_newest" ON "job" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "job_estimate" ON "job" USING btree ("repo_name","agent","finished_at") WHERE state = 'succeeded';--> statement-breakpoint
CREATE INDEX "job_minutes" ON "job" USING btree ("user_id","finished_at","started_at") WHERE started_at is not null;