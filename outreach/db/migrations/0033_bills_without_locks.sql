-- A foreign key locks the row that it names and writes that lock down, once for every document: 10 of the 29
-- microseconds that a document took in a binary COPY. Only issue.py writes documents, under the run that it
-- has begun and for households that it has read, and no taxpayer or run is ever deleted (as in 0003).
alter table statement
    drop constraint statement_taxpayer_id_fkey,
    drop constraint statement_run_id_fkey;
