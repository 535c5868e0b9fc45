"""What an application does with asyncpg. Prints what it sees, for comparison with a direct connection."""

import asyncio
import datetime
import decimal
import io

import asyncpg


async def main():
    connection = await asyncpg.connect(ssl=False)
    print(connection.get_server_version(), connection.get_settings().server_encoding)
    await connection.execute("create table app (id int primary key, price numeric, spans daterange[], doc json)")
    await connection.executemany(
        "insert into app values ($1, $2, $3, $4)",
        [(n, decimal.Decimal(n) / 8, [asyncpg.Range(datetime.date(2024, 1, 1), None)], "{}") for n in range(100)],
    )
    statement = await connection.prepare("select * from app where id >= $1 order by id")
    print([attribute.name for attribute in statement.get_attributes()], len(await statement.fetch(90)))
    print([tuple(row) for row in await statement.fetch(98)])
    async with connection.transaction():
        numbers = [row["id"] async for row in connection.cursor("select id from app order by id", prefetch=9)]
        print(sum(numbers))
    try:
        async with connection.transaction():
            await connection.execute("delete from app")
            await connection.execute("insert into app (id) values ('no number')")
    except asyncpg.PostgresError as error:
        print(type(error).__name__, error.sqlstate, error.message)
    print(await connection.fetchval("select count(*) from app"))

    out = io.BytesIO()
    print(await connection.copy_from_query("select id, price from app where id < $1", 3, output=out), out.getvalue())
    print(await connection.copy_records_to_table("app", records=[(n, None, None, None) for n in range(500, 600)]))

    heard = asyncio.get_running_loop().create_future()
    await connection.add_listener("tide", lambda *words: heard.set_result(words[2:]))
    await connection.execute("notify tide, 'in'")
    print(await heard)
    try:
        await connection.execute("select pg_sleep(600)", timeout=0.5)
    except asyncio.TimeoutError:
        print("cancelled", await connection.fetchval("select 'usable'"))
    await connection.reset()
    await connection.execute("drop table app")
    await connection.close()

    async with asyncpg.create_pool(ssl=False, min_size=4, max_size=8) as pool:
        print(await asyncio.gather(*(pool.fetchval("select $1::int + 1", n) for n in range(40))))


asyncio.run(main())
