"""What an application does with Django on PyMySQL. Prints what it sees, for comparison with a direct connection."""

import faulthandler
import io
import os

import django
import pymysql
from django.conf import settings
from django.core.management import call_command

faulthandler.dump_traceback_later(100, exit=True)  # nobody waits for an application that hangs

pymysql.version_info = (2, 2, 7, "final", 0)  # the age of mysqlclient that Django asks for
pymysql.install_as_MySQLdb()
options = {"charset": "utf8mb4", "password": os.environ["DB_PASSWORD"].encode()}
if os.environ["DB_CA"]:
    options["ssl"] = {"ca": os.environ["DB_CA"]}
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "HOST": os.environ["DB_HOST"],
            "PORT": os.environ["DB_PORT"],
            "USER": os.environ["DB_USER"],
            "NAME": os.environ["DB_NAME"],
            "OPTIONS": options,
        }
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.db import IntegrityError, connection, transaction  # noqa: E402
from django.db.models import Count  # noqa: E402

call_command("migrate", verbosity=0)
print(connection.vendor, connection.mysql_version, connection.mysql_is_mariadb, sorted(connection.sql_mode))
groups = [Group.objects.create(name=f"gröup {n}") for n in range(5)]
for n in range(20):
    user = User.objects.create(username=f"user{n:02}", email=f"u{n}@example.com")
    user.groups.add(*groups[: n % 5])
print(list(Group.objects.annotate(members=Count("user")).order_by("name").values_list("name", "members")))
print(User.objects.filter(groups__name="gröup 3").order_by("-username").values_list("username", flat=True)[:3])
try:
    with transaction.atomic():
        User.objects.create(username="user01")
except IntegrityError as error:
    print(error.args)
with transaction.atomic():
    print(User.objects.select_for_update().get(username="user02").email)
print(User.objects.filter(username__lt="user05").update(first_name="Ä"), User.objects.filter(first_name="Ä").count())
print(User.objects.filter(username="user03").delete())
said = io.StringIO()
call_command("inspectdb", stdout=said)
print(said.getvalue())
with connection.cursor() as cursor:
    constraints = connection.introspection.get_constraints(cursor, "auth_user_groups")
    print(sorted((name, sorted(what["columns"]), what["foreign_key"]) for name, what in constraints.items()))
    cursor.execute("set foreign_key_checks = 0")
    for table in connection.introspection.table_names(cursor):
        cursor.execute(f"drop table {table}")
