"""What an application does with psycopg 3. Prints what it sees, for comparison with a direct connection."""

import asyncio
import datetime
import threading
import uuid

import psycopg

with psycopg.connect("", prepare_threshold=1) as connection:
    print(connection.info.server_version, connection.info.encoding, connection.info.dbname != "")
    connection.execute("create table app (id int primary key, at timestamptz, key uuid, raw bytea)")
    with connection.cursor() as cursor:
        moment = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)
        cursor.executemany(
            "insert into app values (%s, %s, %s, %s)",
            [(n, moment, uuid.UUID(int=n), bytes([n, 0, 255])) for n in range(100)],
        )
        print(cursor.rowcount)
    connection.commit()
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        for n in range(4):  # from the second time on as a prepared statement
            print(cursor.execute("select id, key, raw, at at time zone 'UTC' from app where id = %s", (n,)).fetchone())

    with connection.pipeline():
        answers = [connection.execute("select %s::int * 2", (n,)) for n in range(20)]
    print([answer.fetchone()[0] for answer in answers])
    try:
        with connection.pipeline():
            connection.execute("insert into app (id) values (1000)")
            connection.execute("insert into app (id) values (1)")
            connection.execute("insert into app (id) values (1001)")
    except psycopg.Error as error:
        print(type(error).__name__, error.sqlstate, error.diag.message_primary, error.diag.constraint_name)
    connection.rollback()
    print(connection.execute("select count(*) from app").fetchone())

    with connection.cursor().copy("copy app (id, raw) from stdin (format binary)") as copy:
        copy.set_types(["int4", "bytea"])
        for n in range(200, 300):
            copy.write_row((n, b"x" * n))
    with connection.cursor().copy("copy (select id, length(raw) from app where id > 295 order by id) to stdout") as copy:
        print([row for row in copy.rows()])

    with connection.cursor("server_side") as cursor:
        cursor.execute("select id from app order by id")
        print(cursor.fetchmany(3), cursor.fetchone())

    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute("delete from app")
                raise psycopg.Rollback()
        finally:
            print(connection.execute("select count(*) from app").fetchone())

    threading.Timer(0.5, connection.cancel).start()
    try:
        connection.execute("select pg_sleep(600)")
    except psycopg.errors.QueryCanceled as error:
        print("cancelled", error.sqlstate)
    connection.rollback()
    connection.execute("drop table app")


async def asynchronous():
    connection = await psycopg.AsyncConnection.connect("", autocommit=True)
    await connection.execute("listen tide")
    await connection.execute("notify tide, 'in'")
    async for notice in connection.notifies(stop_after=1):
        print(notice.channel, notice.payload)
    await connection.close()


asyncio.run(asynchronous())
