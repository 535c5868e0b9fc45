"""What an application does with psycopg 2 and 3 inside a limited grant. Prints what it sees, for comparison."""

import psycopg
import psycopg2
from psycopg.types import TypeInfo


def old():
    connection = psycopg2.connect("sslmode=disable")
    cursor = connection.cursor()
    cursor.execute("select id, prod_name from sales where sku = %s", ("SKU-1",))
    print(cursor.fetchall(), [column.name for column in cursor.description])
    named = connection.cursor("named")
    named.itersize = 2
    named.execute("select id, sku from sales order by id")
    print(list(named))
    named.close()
    cursor.execute("insert into orders (sale_id, qty) values (%s, %s) returning qty", (1, 2))
    print(cursor.fetchone())
    connection.rollback()
    connection.set_session(isolation_level="SERIALIZABLE", readonly=True)
    cursor.execute("select count(*) from orders")
    print(cursor.fetchone())
    connection.rollback()
    for refused in ("select card_number from sales", "select count(*) from employees"):
        try:
            cursor.execute(refused)
        except psycopg2.errors.InsufficientPrivilege as error:
            print(refused, error.pgcode)
        connection.rollback()
    connection.close()


def new():
    with psycopg.connect("sslmode=disable", prepare_threshold=2) as connection:
        for number in range(5):
            row = connection.execute("select sku from sales where id = %s", (number + 1,)).fetchone()
            print(row)
        with connection.cursor(name="served") as cursor:
            cursor.execute("select id, sku from sales order by id")
            print(cursor.fetchmany(2), cursor.fetchall())
        with connection.cursor().copy("copy sales (id, sku) to stdout (format binary)") as copy:
            copy.set_types(["int4", "text"])
            print(list(copy.rows()))
        print(TypeInfo.fetch(connection, "hstore"))
        connection.rollback()
        with connection.pipeline():
            results = [connection.execute("select %s + id from orders order by id", (n,)) for n in range(3)]
        print([result.fetchall() for result in results])
        for refused in ("select s from sales s", "update sales set sku = ''"):
            try:
                with connection.transaction():
                    connection.execute(refused)
            except psycopg.errors.InsufficientPrivilege as error:
                print(refused, error.sqlstate)
        connection.rollback()


old()
new()
