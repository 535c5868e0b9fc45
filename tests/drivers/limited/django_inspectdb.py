"""Django connects, inspects and works inside a limited grant. Prints what it sees, for comparison."""

import io
import os

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ["PGDATABASE"],
            "USER": os.environ["PGUSER"],
            "PASSWORD": os.environ["PGPASSWORD"],
            "HOST": os.environ["PGHOST"],
            "PORT": os.environ["PGPORT"],
            "OPTIONS": {"sslmode": "disable"},
        }
    },
    INSTALLED_APPS=[],
    USE_TZ=True,
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402

out = io.StringIO()
call_command("inspectdb", "orders", stdout=out)
print(out.getvalue())
with connection.cursor() as cursor:
    names = {table.name for table in connection.introspection.get_table_list(cursor)}
    print({"orders", "sales"} <= names)
    print(connection.introspection.get_constraints(cursor, "orders"))
    print(connection.introspection.get_relations(cursor, "orders"), connection.introspection.get_sequences(cursor, "orders"))


class Order(models.Model):
    sale_id = models.IntegerField(null=True)
    qty = models.IntegerField(null=True)

    class Meta:
        app_label = "shop"
        db_table = "orders"
        managed = False


print(list(Order.objects.filter(qty__gte=20).order_by("id").values_list("id", "qty")))
print([order.qty for order in Order.objects.order_by("id").iterator(chunk_size=2)])
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
