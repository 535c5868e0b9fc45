"""What an application does with PyMySQL. Prints what it sees, for comparison with a direct connection."""

import datetime
import decimal
import faulthandler
import os
import warnings

import pymysql
import pymysql.cursors

faulthandler.dump_traceback_later(100, exit=True)  # nobody waits for an application that hangs

ACCESS = dict(
    host=os.environ["DB_HOST"],
    port=int(os.environ["DB_PORT"]),
    user=os.environ["DB_USER"],
    password=os.environ["DB_PASSWORD"].encode(),
    database=os.environ["DB_NAME"],
    charset="utf8mb4",
    local_infile=True,
)
if os.environ["DB_CA"]:
    ACCESS["ssl"] = {"ca": os.environ["DB_CA"]}

with pymysql.connect(**ACCESS) as connection:
    print(connection.get_server_info(), connection.character_set_name(), connection.get_autocommit())
    with connection.cursor() as cursor:
        cursor.execute(
            "create table app (id int primary key auto_increment, name varchar(50), price decimal(12,2),"
            " at datetime(6), raw blob, doc json)"
        )
        moment = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
        rows = [(f"näme {n} 🚪", decimal.Decimal(n) / 4, moment, bytes([n, 0, 255]), '{"n": %d}' % n) for n in range(100)]
        print(cursor.executemany("insert into app (name, price, at, raw, doc) values (%s, %s, %s, %s, %s)", rows))
        print(cursor.lastrowid, cursor.rowcount, connection.insert_id(), connection.affected_rows())
        connection.commit()
        print(cursor.execute("select * from app where id > %s order by id", (97,)), cursor.fetchall())
        print(cursor.description)
        cursor.execute("select 'ü' as a, null as b, 1/3 as c, now() > '2020-01-01' as d, 0x00ff as e, b'101' as f")
        print(cursor.fetchone(), cursor.description)
        for wrong in (
            "select nonsense from nowhere",
            "insert into app (id) values (1)",
            "selec 1",
            "select * from mysql.user",
            "signal sqlstate '45000' set message_text = 'my own', mysql_errno = 31000",
        ):
            try:
                cursor.execute(wrong)
            except pymysql.Error as error:
                print(type(error).__name__, error.args)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cursor.execute("select 1/0, cast('12x' as signed)")
        print(cursor.warning_count, cursor.fetchall())
        cursor.execute("show warnings")
        print(cursor.fetchall())
        cursor.execute("delete from app where id > 50")
        connection.rollback()
        cursor.execute("select count(*), sum(price) from app")
        print(cursor.fetchone())
        cursor.execute(
            "create procedure twice(in a int, out b int) begin select a as given; set b = a * 2; select 'second'; end"
        )
        cursor.callproc("twice", (21, 0))
        print(cursor.fetchall(), cursor.nextset(), cursor.fetchall(), cursor.nextset())
        cursor.execute("select @_twice_1")
        print(cursor.fetchall())
        cursor.execute("drop procedure twice")

    with connection.cursor(pymysql.cursors.SSDictCursor) as cursor:
        cursor.execute("select id, name from app order by id")
        print(cursor.fetchone(), cursor.fetchmany(2))

    with open("upload.csv", "w") as file:
        file.writelines(f"{n},uploaded {n}\n" for n in range(1000, 3000))
    with connection.cursor() as cursor:
        print(cursor.execute("load data local infile 'upload.csv' into table app fields terminated by ',' (id, name)"))
        cursor.execute("select count(*), max(name) from app")
        print(cursor.fetchall())
        try:
            cursor.execute("load data local infile 'missing.csv' into table app")
        except (pymysql.Error, OSError) as error:
            print(type(error).__name__, error.args)
        connection.ping(reconnect=False)
        big = "x" * 20_000_000
        cursor.execute("select length(%s), repeat('y', 17000000)", (big,))
        row = cursor.fetchone()
        print(row[0], len(row[1]))
    connection.select_db("hr")
    with connection.cursor() as cursor:
        cursor.execute("select database()")
        print(cursor.fetchone())
        cursor.execute("drop table shop.app")

with pymysql.connect(**ACCESS, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS, autocommit=True) as connection:
    with connection.cursor() as cursor:
        cursor.execute("select 1; set @a = 5; select @a, 'two'; select broken")
        while True:
            print(cursor.fetchall(), cursor.rowcount)
            try:
                if not cursor.nextset():
                    break
            except pymysql.Error as error:
                print(error.args)
                break
