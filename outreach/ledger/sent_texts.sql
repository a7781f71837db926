-- name: keep
-- The same words a second time, after a stop that was certain, change nothing.
insert into sent_text (message_id, digest, taxpayer_ids, text_enc)
select id, digest, named::int[], text
from unnest(%(ids)s::bigint[], %(digests)s::bytea[], %(named)s::text[], %(texts)s::bytea[])
     as one (id, digest, named, text)
on conflict do nothing
