"""The same with Airflow: one run at a time, tried again after a crash; a drift fails the task."""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG(
    "recdistill_nightly",
    schedule="30 2 * * *",
    start_date=datetime(2026, 11, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
) as dag:
    BashOperator(
        task_id="nightly",
        bash_command="cd /shop && recdistill nightly --config=nightly.yaml",
    )
