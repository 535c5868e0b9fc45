"""What an application does with MySQL Connector/Python, in Python alone and with its C extension. Prints what it sees,
for comparison with a direct connection."""

import datetime
import decimal
import faulthandler
import os
import warnings

import mysql.connector
from mysql.connector import errorcode

faulthandler.dump_traceback_later(100, exit=True)  # nobody waits for an application that hangs
warnings.simplefilter("ignore")

ACCESS = dict(
    host=os.environ["DB_HOST"],
    port=int(os.environ["DB_PORT"]),
    user=os.environ["DB_USER"],
    password=os.environ["DB_PASSWORD"],
    database=os.environ["DB_NAME"],
    get_warnings=True,
)
if os.environ["DB_CA"]:
    ACCESS["ssl_ca"] = os.environ["DB_CA"]
    ACCESS["ssl_verify_cert"] = True


def run(pure):
    connection = mysql.connector.connect(**ACCESS, use_pure=pure)
    print("==", "Python" if pure else "C", connection.server_info, connection.charset)
    cursor = connection.cursor()
    cursor.execute("create table app (id int primary key, name varchar(50), price decimal(12,2), at datetime, raw blob)")
    moment = datetime.datetime(2024, 2, 29, 12)
    rows = [(n, f"näme {n}", decimal.Decimal(n) / 4, moment, bytes([n, 0, 255])) for n in range(100)]
    cursor.executemany("insert into app values (%s, %s, %s, %s, %s)", rows)
    print(cursor.rowcount, cursor.lastrowid)
    connection.commit()

    prepared = connection.cursor(prepared=True)
    for n in range(5):
        prepared.execute("select id, name, price, at, raw from app where id = %s", (n,))
        print(prepared.fetchall())
    prepared.execute("insert into app (id, name) values (%s, %s)", (200, "x" * 50))
    print(prepared.rowcount)
    try:
        prepared.execute("insert into app (id, name) values (%s, %s)", (200, "again"))
    except mysql.connector.Error as error:
        print(error.errno == errorcode.ER_DUP_ENTRY, error.errno, error.sqlstate, error.msg)
    prepared.close()

    named = connection.cursor(dictionary=True)
    named.execute("select id, name as 'der näme' from app where id < 2")
    print(named.fetchall(), [column[:2] for column in named.description])
    cursor.execute("select 1/0, cast('12x' as signed)")
    print(cursor.fetchall(), cursor.warnings)
    for wrong in ("select nonsense", "update nowhere set a = 1", "selec"):
        try:
            cursor.execute(wrong)
        except mysql.connector.Error as error:
            print(type(error).__name__, error.errno, error.sqlstate, error.msg)
    cursor.execute("create procedure twice(inout a int) begin select a; set a = a * 2; end")
    print(cursor.callproc("twice", (21,)), [result.fetchall() for result in cursor.stored_results()])
    cursor.execute("drop procedure twice")
    connection.start_transaction(isolation_level="SERIALIZABLE")
    cursor.execute("delete from app")
    connection.rollback()
    cursor.execute("select count(*) from app")
    print(cursor.fetchall(), connection.in_transaction)
    connection.commit()
    cursor.execute("set @kept = 5")
    connection.cmd_reset_connection()
    cursor.execute("select @kept, database()")
    print(cursor.fetchall())
    connection.ping()
    cursor.execute("drop table app")
    connection.close()


for pure in (True, False):
    run(pure)
