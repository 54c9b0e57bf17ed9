ALTER TABLE "sandbox" ADD COLUMN "fault" jsonb;--> statement-breakpoint
ALTER TABLE "sandbox" ADD COLUMN "warned_of" timestamp (3) with time zone;