"""Django connects, inspects and works inside a limited grant. Prints what it sees, for comparison."""

import faulthandler
import os

import django
import pymysql
from django.conf import settings

faulthandler.dump_traceback_later(100, exit=True)  # nobody waits for an application that hangs

pymysql.version_info = (2, 2, 7, "final", 0)  # the age of mysqlclient that Django asks for
pymysql.install_as_MySQLdb()
options = {"charset": "utf8mb4", "password": os.environ["DB_PASSWORD"].encode(), "ssl": {"ca": os.environ["DB_CA"]}}
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
    INSTALLED_APPS=[],
    USE_TZ=True,
)
django.setup()

from django.db import DatabaseError, connection, models, transaction  # noqa: E402

with connection.cursor() as cursor:
    fields = connection.introspection.get_table_description(cursor, "orders")
    print([(field.name, field.type_code, field.null_ok) for field in fields])
with connection.cursor() as cursor:
    print(sorted(table.name for table in connection.introspection.get_table_list(cursor)))
    constraints = connection.introspection.get_constraints(cursor, "orders")
    print(sorted((name, sorted(what["columns"]), what["foreign_key"]) for name, what in constraints.items()))
    print(connection.introspection.get_relations(cursor, "orders"), connection.introspection.get_sequences(cursor, "orders"))


class Order(models.Model):
    sale_id = models.IntegerField(null=True)
    qty = models.IntegerField(null=True)

    class Meta:
        app_label = "shop"
        db_table = "orders"
        managed = False


class Sale(models.Model):
    sku = models.CharField(max_length=50)
    price = models.IntegerField()

    class Meta:
        app_label = "shop"
        db_table = "sales"
        managed = False


print(list(Order.objects.filter(qty__gte=20).order_by("id").values_list("id", "qty")))
print([order.qty for order in Order.objects.order_by("id").iterator(chunk_size=2)])
print(list(Sale.objects.only("sku").order_by("id").values_list("sku", flat=True)))
try:
    with transaction.atomic():
        Order.objects.bulk_create([Order(sale_id=1, qty=n) for n in range(10)])
        Order.objects.filter(pk=1).update(qty=models.F("qty") + 1)
        print(Order.objects.select_for_update().get(pk=1).qty)
        with transaction.atomic():
            print(Order.objects.aggregate(models.Sum("qty"), models.Count("id")))
        raise RuntimeError("roll back")
except RuntimeError as error:
    print(error, Order.objects.count())
for wrong in (lambda: list(Sale.objects.all()), lambda: Sale.objects.filter(price__gt=1).count(), lambda: Order.objects.all().delete()):
    try:
        wrong()
    except DatabaseError as error:
        print(type(error).__name__, error.args[0])
