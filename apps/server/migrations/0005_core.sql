CREATE TABLE "activity" (
	"id" text PRIMARY KEY NOT NULL,
	"version" integer NOT NULL,
	"owner" text NOT NULL,
	"actor_name" text NOT NULL,
	"correlation_id" text,
	"is_open" boolean NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"last_at" timestamp (3) with time zone NOT NULL,
	"summary" jsonb NOT NULL,
	"kept" integer NOT NULL,
	"base" jsonb
);
--> statement-breakpoint
CREATE TABLE "upload_arriving" (
	"id" text PRIMARY KEY NOT NULL,
	"owner" text NOT NULL,
	"bytes" bigint NOT NULL,
	"until" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
DROP INDEX "activity_started";--> statement-breakpoint
DROP INDEX "activity_newest";--> statement-breakpoint
DROP INDEX "activity_correlation";--> statement-breakpoint
ALTER TABLE "person" ADD COLUMN "signed_in_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "sign_in_link" ADD COLUMN "created_by" text;--> statement-breakpoint
ALTER TABLE "job" ADD COLUMN "version" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "activity_list" ON "activity" USING btree ("is_open","owner","at");--> statement-breakpoint
CREATE INDEX "activity_of_name" ON "activity" USING btree ("actor_name","is_open","at");--> statement-breakpoint
CREATE INDEX "activity_of_thing" ON "activity" USING btree ("correlation_id") WHERE correlation_id is not null;--> statement-breakpoint
CREATE INDEX "upload_arriving_of" ON "upload_arriving" USING btree ("owner");--> statement-breakpoint
ALTER TABLE "sign_in_link" ADD CONSTRAINT "sign_in_link_created_by_person_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."person"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "sign_in_link_created_by" ON "sign_in_link" USING btree ("created_by") WHERE created_by is not null;--> statement-breakpoint
-- Data and triggers from here on; what is above is generated.
update person set signed_in_at = coalesce(last_seen_at, created_at)
  where last_seen_at is not null or password_hash is not null or exists (select 1 from session where person_id = person.id);--> statement-breakpoint
-- Nobody knows who made them; they would have ended within a day.
delete from sign_in_link;--> statement-breakpoint
create or replace function count_version() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  return new;
end $$;--> statement-breakpoint
create trigger job_version before update on job for each row execute function count_version();--> statement-breakpoint
-- What was said so far, folded as the server folds it from now on.
with first as (select distinct on (activity_id) * from activity_message order by activity_id, (type = 'DEVOPS_STARTED') desc, at, n),
  ended as (select distinct on (activity_id) * from activity_message
    where type in ('DEVOPS_COMPLETE', 'DEVOPS_FAILED') order by activity_id, at, n),
  said as (select activity_id, message->>'step' as step, message->>'status' as status, message->>'error' as error, at, n
    from activity_message where type = 'DEVOPS_STEP_UPDATE'),
  named as (select activity_id, step, min(place) as place from (
      select f.activity_id, s.step, s.place from first f
        cross join lateral jsonb_array_elements_text(coalesce(f.message->'steps', '[]')) with ordinality s(step, place)
      union all select activity_id, step, 1000000 + n from said) every_name group by activity_id, step),
  told as (select activity_id, step,
      (array_agg(status order by at desc, n desc) filter (where status in ('completed', 'failed')))[1] as done,
      (array_agg(status order by at desc, n desc))[1] as latest,
      min(at) filter (where status = 'running') as running_at,
      min(at) filter (where status = 'completed') as completed_at,
      min(at) filter (where status = 'failed') as failed_at,
      (array_agg(error order by at desc, n desc) filter (where error is not null))[1] as error
    from said group by activity_id, step),
  seen as (select n.activity_id, n.step, n.place, t.error, coalesce(t.done, t.latest, 'pending') as status,
      least(t.running_at, t.completed_at, t.failed_at) as began,
      case t.done when 'completed' then t.completed_at when 'failed' then t.failed_at end as done_at
    from named n left join told t on t.activity_id = n.activity_id and t.step = n.step),
  -- As many steps, and as long errors together, as the server keeps of one.
  few as (select *, sum(length(error)) over (partition by activity_id order by place) as told from (
      select *, row_number() over (partition by activity_id order by place) as nth from seen) every_step where nth <= 100),
  steps as (select s.activity_id, jsonb_agg(jsonb_build_object(
      'name', s.step, 'error', left(s.error, greatest(0, 8000 - (s.told - length(s.error)))::int),
      'status', case when s.status <> 'running' or e.n is null then s.status when e.type = 'DEVOPS_FAILED' then 'failed' else 'completed' end,
      'startedAt', to_char(s.began at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
      'completedAt', to_char(case when s.status = 'running' then e.at else s.done_at end at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
      ) order by s.place) as list
    from few s left join ended e on e.activity_id = s.activity_id group by s.activity_id),
  counted as (select activity_id, count(*)::int as n, max(at) as last_at from activity_message group by activity_id)
insert into activity (id, version, owner, actor_name, correlation_id, is_open, at, last_at, kept, summary)
select f.activity_id, c.n, coalesce(f.actor_id, ''), f.actor_name, f.correlation_id, e.n is null, coalesce(e.at, f.at), c.last_at, c.n,
  jsonb_build_object(
    'id', f.activity_id, 'operation', coalesce(f.message->>'operation', 'Unnamed'),
    'status', case e.type when 'DEVOPS_FAILED' then 'failed' when 'DEVOPS_COMPLETE' then 'completed' else 'in_progress' end,
    'startedAt', to_char(f.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'completedAt', to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'steps', coalesce(s.list, '[]'), 'error', e.message->'error', 'actor', jsonb_build_object('id', f.actor_id, 'name', f.actor_name),
    'correlationId', f.correlation_id, 'link', f.message->'link')
from first f join counted c on c.activity_id = f.activity_id
  left join ended e on e.activity_id = f.activity_id left join steps s on s.activity_id = f.activity_id;--> statement-breakpoint
-- Of those that said more than is kept of one, what they said stays as it was folded.
update activity set base = summary, kept = 0 where kept > 200;--> statement-breakpoint
delete from activity_message m using activity a where a.id = m.activity_id and a.kept = 0;
