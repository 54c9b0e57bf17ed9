ALTER TABLE "execution" ADD COLUMN "title_sealed" text;--> statement-breakpoint
ALTER TABLE "execution" DROP COLUMN "title";