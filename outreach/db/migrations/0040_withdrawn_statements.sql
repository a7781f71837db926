-- A document of which nothing is left when it is issued again (a benefit bill whose only line was recorded by mistake)
-- is withdrawn by a version that says so: the one before may not go on being the one that counts.
alter table statement add column withdrawn boolean not null default false;
comment on column statement.withdrawn is 'this version says that the document is withdrawn';
