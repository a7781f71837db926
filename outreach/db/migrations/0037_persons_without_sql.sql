-- Planning, laps and the forecast ask campaigns/persons.py.
drop function persons_reached(int[], smallint[], text[], text[], text, int[], int[], boolean);
