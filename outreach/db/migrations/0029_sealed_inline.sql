-- What is sealed does not compress, so trying to is time lost; and a document that stays in its row saves a
-- second table and its index at every write. Only what does not fit into a page goes out of the row.
alter table statement alter column content_enc set storage external;
alter table statement set (toast_tuple_target = 8160);
