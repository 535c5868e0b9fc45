"""What an application does with psycopg 2. Prints what it sees, for comparison with a direct connection."""

import decimal
import io
import threading

import psycopg2
import psycopg2.extras

connection = psycopg2.connect("")
print(connection.server_version, connection.encoding, connection.get_parameter_status("standard_conforming_strings"))
cursor = connection.cursor()
cursor.execute("create table app (id serial primary key, name text, price numeric, tags text[], doc jsonb)")
rows = [(f"näme {n}", decimal.Decimal(n) / 3, ["a", str(n)], psycopg2.extras.Json({"n": n})) for n in range(50)]
psycopg2.extras.execute_values(cursor, "insert into app (name, price, tags, doc) values %s", rows)
connection.commit()
cursor.execute("select id, name, round(price, 4), tags, doc from app where id > %s order by id", (45,))
print(cursor.fetchall(), [column.name for column in cursor.description], cursor.statusmessage)

try:
    cursor.execute("select 1/0")
except psycopg2.Error as error:
    print(error.pgcode, error.pgerror, error.diag.severity)
connection.rollback()

named = connection.cursor("server_side", scrollable=True)
named.itersize = 7
named.execute("select generate_series(1, 30)")
print(named.fetchmany(5), named.fetchone(), sum(row[0] for row in named))
named.close()

out = io.StringIO()
cursor.copy_expert("copy (select name, tags from app order by id limit 3) to stdout with csv header", out)
print(out.getvalue())
cursor.copy_expert("copy app (name) from stdin", io.StringIO("copied one\ncopied two\n"))
print(cursor.rowcount)
try:
    cursor.copy_expert("copy app (id) from stdin", io.StringIO("not a number\n"))
except psycopg2.Error as error:
    print(error.pgcode, error.diag.context)
connection.rollback()

cursor.execute("do $$ begin raise notice 'noticed'; end $$")
print(connection.notices)
cursor.execute("listen tide; notify tide, 'in'")
connection.commit()
connection.poll()
print([(notice.channel, notice.payload) for notice in connection.notifies])

threading.Timer(0.5, connection.cancel).start()
try:
    cursor.execute("select pg_sleep(600)")
except psycopg2.errors.QueryCanceled as error:
    print("cancelled", error.pgcode)
connection.rollback()

large = connection.lobject(0, "wb")
large.write(b"\x00\xff" * 5000)
oid = large.oid
large.close()
print(len(connection.lobject(oid, "rb").read()))
connection.lobject(oid).unlink()
cursor.execute("drop table app")
connection.commit()
connection.close()
