"""What an application does with asyncpg inside a limited grant. Prints what it sees, for comparison with a native role."""

import asyncio

import asyncpg


async def main():
    connection = await asyncpg.connect(ssl=False)
    print([tuple(row) for row in await connection.fetch("select id, prod_name from sales where sku = $1", "SKU-1")])
    print(await connection.fetchval("select sum(qty) from orders where sale_id = any($1::int[])", [1, 2, 3]))
    transaction = connection.transaction()
    await transaction.start()
    await connection.executemany("insert into orders (sale_id, qty) values ($1, $2)", [(1, n) for n in range(20)])
    print(await connection.fetchval("update orders set qty = qty + $1 where id = 1 returning qty", 7))
    print(await connection.copy_records_to_table("orders", records=[(1, 1)], columns=["sale_id", "qty"]))
    numbers = [row["id"] async for row in connection.cursor("select id from sales order by id", prefetch=2)]
    await transaction.rollback()
    print(numbers, await connection.fetchval("select count(*) from orders"))
    statement = await connection.prepare("select o, array_agg(s.sku) from orders o join sales s on s.id = o.sale_id group by o")
    print([attribute.name for attribute in statement.get_attributes()])
    # Unknown types make asyncpg look them up.
    print(sorted(tuple(row["o"]) for row in await statement.fetch()))
    for refused in ("select price from sales", "select * from sales", "table employees", "delete from orders"):
        try:
            await connection.fetch(refused)
        except asyncpg.InsufficientPrivilegeError as error:
            print(refused, error.sqlstate)
    await connection.reset()
    await connection.close()
    async with asyncpg.create_pool(ssl=False, min_size=2, max_size=4) as pool:
        print(sum(await asyncio.gather(*(pool.fetchval("select count(*) + $1 from sales", n) for n in range(20)))))


asyncio.run(main())
