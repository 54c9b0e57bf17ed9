ALTER TABLE "sandbox" ADD COLUMN "job_id" text;--> statement-breakpoint
ALTER TABLE "sandbox" ADD COLUMN "preparing_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "sandbox" ADD COLUMN "tree" jsonb;--> statement-breakpoint
ALTER TABLE "sandbox" ADD COLUMN "tree_fault" jsonb;