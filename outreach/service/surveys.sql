-- name: add
insert into survey (org_id, campaign_id, content, created_by)
values (%(org_id)s, %(campaign_id)s, %(content)s, %(by)s) returning id;

-- name: save
update survey s set content = %(content)s, campaign_id = %(campaign_id)s, changed_at = business_now()
from org_unit o where s.id = %(id)s and o.id = s.org_id and o.path like %(path)s || '%%' returning s.id;

-- name: own
select s.id, s.org_id, o.name as org_name, s.campaign_id, s.content, s.state, s.mapping, s.created_by, s.changed_at,
       v.version, v.published_at, v.content is distinct from s.content as has_changed
from survey s join org_unit o on o.id = s.org_id
left join lateral (select version, published_at, content from survey_version
                   where survey_id = s.id order by version desc limit 1) v on true
where s.id = %(id)s and o.path like %(path)s || '%%';

-- name: publish
with opened as (update survey set state = 'open' where id = %(id)s)
insert into survey_version (survey_id, version, content, content_hash, published_by)
select %(id)s, coalesce(max(version), 0) + 1, %(content)s, %(hash)s, %(by)s
from survey_version where survey_id = %(id)s
having coalesce((array_agg(content_hash order by version desc))[1] <> %(hash)s, true)
returning version;

-- name: close
update survey set state = 'closed' where id = %(id)s;

-- name: map
update survey set mapping = %(mapping)s where id = %(id)s;

-- name: choosers
select a.taxpayer_id, a.choices from survey_answer a
where a.survey_id = %(id)s and not exists (select from survey_answer later where later.supersedes = a.id);

-- name: open
select s.id, v.id as version_id, v.content, s.mapping,
       exists (select from survey_answer a where a.survey_id = s.id and a.taxpayer_id = %(taxpayer)s) as answered
from survey s join org_unit o on o.id = s.org_id
join lateral (select id, content from survey_version where survey_id = s.id order by version desc limit 1) v on true
where s.state = 'open'
  and (s.campaign_id = %(campaign)s
       or s.campaign_id is null
          and (select path from org_unit where id = %(org_id)s) like o.path || '%%')
order by s.campaign_id is null, s.id desc limit 20;

-- name: hold
select pg_advisory_xact_lock(764020, hashint8(%(survey)s::bigint << 32 | %(taxpayer)s));

-- name: draw
select nextval('survey_answer_id') as id,
       (select max(id) from survey_answer where survey_id = %(survey)s and taxpayer_id = %(taxpayer)s) as last;

-- name: answer
insert into survey_answer (id, survey_id, version_id, taxpayer_id, person_id, channel, entered_by, choices, texts_enc,
                           supersedes)
values (%(id)s, %(survey)s, %(version)s, %(taxpayer)s, %(person)s, %(channel)s, %(entered_by)s, %(choices)s, %(texts)s,
        %(supersedes)s);

-- name: answers
select a.id, a.taxpayer_id, a.channel, a.entered_by, a.at, a.choices, a.texts_enc, v.version
from survey_answer a join survey_version v on v.id = a.version_id
join taxpayer t on t.id = a.taxpayer_id join org_unit o on o.id = t.org_id
where a.survey_id = %(id)s and o.path like %(path)s || '%%'
  and not exists (select from survey_answer later where later.supersedes = a.id)
order by a.id limit 100000;
