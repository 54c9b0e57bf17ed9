ALTER TABLE "job" DROP COLUMN "spec";--> statement-breakpoint
ALTER TABLE "job" DROP COLUMN "env_sealed";--> statement-breakpoint
ALTER TABLE "job" DROP COLUMN "env_names";