-- name: list
select s.id, s.content ->> 'title' as title, s.state, o.name as org_name, s.changed_at, v.version,
       (select count(*) from survey_answer a where a.survey_id = s.id and a.supersedes is null) as answered
from survey s join org_unit o on o.id = s.org_id
left join lateral (select max(version) as version from survey_version where survey_id = s.id) v on true
where o.path like %(path)s || '%%' order by s.id desc limit 200;

-- name: who_answered
select coalesce(array_agg(a.taxpayer_id), '{}') as ids from survey_answer a
join taxpayer t on t.id = a.taxpayer_id join org_unit o on o.id = t.org_id
where a.survey_id = %(id)s and a.supersedes is null and o.path like %(path)s || '%%';

-- name: choosers
-- Who chose what; the last word of each household counts.
select q.key as question, case when jsonb_typeof(q.value) = 'array' then e.option else q.value #>> '{}' end as option,
       array_agg(a.taxpayer_id) as ids
from survey_answer a
join taxpayer t on t.id = a.taxpayer_id join org_unit o on o.id = t.org_id
cross join lateral jsonb_each(a.choices) q
left join lateral jsonb_array_elements_text(
    case when jsonb_typeof(q.value) = 'array' then q.value else '[]'::jsonb end) as e (option) on true
where a.survey_id = %(id)s and o.path like %(path)s || '%%'
  and not exists (select from survey_answer later where later.supersedes = a.id)
group by 1, 2;
