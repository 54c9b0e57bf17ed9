ALTER TABLE "person" ADD COLUMN "signed_in_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "sign_in_link" ADD COLUMN "created_by" text;--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "version" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "sign_in_link" ADD CONSTRAINT "sign_in_link_created_by_person_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."person"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "sign_in_link_created_by" ON "sign_in_link" USING btree ("created_by") WHERE created_by is not null;--> statement-breakpoint
-- Data and triggers from here on; what is above is generated.
update person set signed_in_at = coalesce(last_seen_at, created_at)
  where last_seen_at is not null or password_hash is not null or exists (select 1 from session where person_id = person.id);--> statement-breakpoint
-- Nobody knows who made them; they would have ended within a day.
delete from sign_in_link;--> statement-breakpoint
create function count_version() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  return new;
end $$;--> statement-breakpoint
create trigger job_version before update on job for each row execute function count_version();
