"""What MLflow runs to get the served model back (a "model from code": nothing is pickled)."""

from mlflow.models import set_model

from recdistill.serving._served_model import ServedModel

set_model(ServedModel())
