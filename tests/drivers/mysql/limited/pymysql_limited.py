"""What an application does with PyMySQL inside a limited grant. Prints what it sees, for comparison with a native account."""

import faulthandler
import os

import pymysql
import pymysql.cursors

faulthandler.dump_traceback_later(100, exit=True)  # nobody waits for an application that hangs

ACCESS = dict(
    host=os.environ["DB_HOST"],
    port=int(os.environ["DB_PORT"]),
    user=os.environ["DB_USER"],
    password=os.environ["DB_PASSWORD"].encode(),
    database=os.environ["DB_NAME"],
    ssl={"ca": os.environ["DB_CA"]},
)

with pymysql.connect(**ACCESS) as connection:
    print(connection.get_server_info(), connection.character_set_name(), connection.get_autocommit())
    with connection.cursor() as cursor:
        print(cursor.execute("select id, prod_name from sales where sku = %s", ("SKU-1",)), cursor.fetchall())
        print([column[:2] for column in cursor.description])
        rows = [(1, number) for number in range(50)]
        print(cursor.executemany("insert into orders (sale_id, qty) values (%s, %s)", rows), cursor.rowcount)
        print(cursor.execute("update orders set qty = qty + 1 where id = %s", (1,)))
        cursor.execute("select count(*), sum(qty) from orders for update")
        print(cursor.fetchone())
        connection.rollback()
        for refused in (
            "select card_number from sales",
            "select * from sales",
            "select count(*) from employees",
            "select sku from sales where price > %s",
            "update sales set sku = ''",
            "delete from orders",
            "select * from hr.reviews",
        ):
            try:
                cursor.execute(refused, (1,) if "%s" in refused else None)
                print(refused, cursor.fetchall())
            except pymysql.Error as error:
                print(refused, type(error).__name__, error.args[0])
        cursor.execute("select 1/0, cast('12x' as signed) from orders limit 1")
        print(cursor.warning_count, cursor.fetchall())
        cursor.execute("show warnings")
        print(cursor.fetchall())
    with connection.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute("select table_name, column_name from information_schema.columns where table_schema = database()")
        print(sorted(map(str, cursor.fetchall())))
        cursor.execute("show tables")
        print(cursor.fetchall())
        cursor.execute("show columns from orders")
        print([(row["Field"], row["Type"], row["Key"]) for row in cursor.fetchall()])
        cursor.execute("show columns from sales")
        print([row["Field"] for row in cursor.fetchall()])
        cursor.execute("show index from orders")
        print([(row["Key_name"], row["Column_name"]) for row in cursor.fetchall()])
    with connection.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute("select id, sku from sales order by id")
        print(cursor.fetchone(), cursor.fetchmany(2), cursor.fetchall())
    connection.ping(reconnect=False)
    connection.select_db("shop")
    try:
        connection.select_db("hr")
    except pymysql.Error as error:
        print(type(error).__name__, error.args[0])
    with connection.cursor() as cursor:
        cursor.execute("select database(), @@autocommit, @@max_allowed_packet")
        print(cursor.fetchone())
