-- name: ensure_template
-- A template is its code, channel and language within one unit.
insert into template (code, name, channel, language, org_id)
values (%(code)s, %(name)s, %(channel)s, %(language)s, %(org_id)s)
on conflict (org_id, code, channel, language) do update set name = excluded.name returning id

-- name: add_version
-- The same content again is the version that there is.
insert into template_version (template_id, version, content, variables, content_hash, created_by)
select %(template_id)s, coalesce(max(version), 0) + 1, %(content)s, %(variables)s, %(hash)s, %(by)s
from template_version where template_id = %(template_id)s
having not coalesce(bool_or(content_hash = %(hash)s and version = (
    select max(version) from template_version where template_id = %(template_id)s)), false)
returning id, version

-- name: newest_version
-- What a save of unchanged content returns.
select id, version from template_version where template_id = %(template_id)s order by version desc limit 1

-- name: file_version
-- The code that the provider gave to this content.
insert into template_filing (version_id, gateway_id, provider_code)
values (%(version_id)s, %(gateway_id)s, %(code)s)
on conflict (version_id, gateway_id) do update set provider_code = excluded.provider_code
