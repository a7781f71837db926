-- name: units
select id, code, path from org_unit;
