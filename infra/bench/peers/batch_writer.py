"""Writes rows of NDJSON with boto3's batch_writer. Prints the wall time and the CPU time, in seconds, as JSON.

Usage: python batch_writer.py FILE ENDPOINT TABLE
"""

import decimal
import hashlib
import json
import sys
import time

import boto3

path, endpoint, table = sys.argv[1:]
table = boto3.resource("dynamodb", endpoint_url=endpoint).Table(table)
table.load()
began, cpu = time.perf_counter(), time.process_time()
with open(path, encoding="utf-8") as lines, table.batch_writer() as batch:
    for line in lines:
        row = json.loads(line, parse_float=decimal.Decimal)
        person = hashlib.sha256(row["link"]["email"].encode()).hexdigest()[:26]
        key = {"PK": person, "SK": f"boto3#{row['action_at']}#email_send#{row['email_id']}"}
        batch.put_item(Item=key | {"data": row})
print(json.dumps({"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}))
