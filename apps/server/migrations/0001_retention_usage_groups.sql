ALTER TABLE "plan" ADD COLUMN "keep_log_days" integer;--> statement-breakpoint
ALTER TABLE "plan" ADD COLUMN "keep_artifact_days" integer;--> statement-breakpoint
ALTER TABLE "plan" ADD COLUMN "keep_bytes" bigint;--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "group_name" text;--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "usage" jsonb;--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "log_removed_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "artifacts_removed_at" timestamp (3) with time zone;--> statement-breakpoint
CREATE INDEX "job_group" ON "job" USING btree ("user_id","group_name") WHERE group_name is not null;--> statement-breakpoint
CREATE INDEX "job_kept" ON "job" USING btree ("user_id","finished_at") WHERE finished_at is not null and (log_removed_at is null or artifacts_removed_at is null);