-- name: forget_incapable
-- The oldest first, by the partial index; a number that an import is just writing comes another day.
with old as (
    select id from address
    where rcs = false and rcs_learned_at < now() - %(days)s * interval '1 day'
    order by rcs_learned_at limit %(limit)s for update skip locked
), forgotten as (
    update address a set rcs = null, rcs_learned_at = null from old where a.id = old.id returning 1
)
select count(*)::int as n from forgotten
