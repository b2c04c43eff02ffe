"""Writes rows of CSV with AWS SDK for pandas. Prints the wall time and the CPU time, in seconds, as JSON.

Usage: python put_csv.py FILE ENDPOINT TABLE
"""

import hashlib
import json
import sys
import time

import awswrangler
import pandas

path, endpoint, table = sys.argv[1:]
awswrangler.config.dynamodb_endpoint_url = endpoint
# put_csv reads keys from columns. The columns are added here, before the measurement.
rows = pandas.read_csv(path)
rows["PK"] = rows["link.email"].map(lambda email: hashlib.sha256(email.encode()).hexdigest()[:26])
rows["SK"] = "pandas#" + rows["action_at"] + "#email_send#" + rows["email_id"]
rows.to_csv(path, index=False)
began, cpu = time.perf_counter(), time.process_time()
awswrangler.dynamodb.put_csv(path=path, table_name=table)
print(json.dumps({"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}))
