ALTER TABLE "job" ADD COLUMN "sandbox_id" text;--> statement-breakpoint
ALTER TABLE "execution" ADD COLUMN "job_id" text;--> statement-breakpoint
ALTER TABLE "execution" ADD COLUMN "job_attempt" integer;--> statement-breakpoint
CREATE UNIQUE INDEX "execution_of_job" ON "execution" USING btree ("job_id","job_attempt") WHERE job_id is not null;