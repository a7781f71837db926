-- Receipts that do not echo our key name a destination; without this each set of them reads every address.
create index address_dest on address (dest);
