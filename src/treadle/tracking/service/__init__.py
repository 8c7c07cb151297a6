"""The verbs of experiments, runs and what runs log.

Each verb is a plain function in the module of its noun; here they are gathered under one name.
"""

from __future__ import annotations

from treadle.tracking.service import arrivals, cleaning, curves, lives, searches
from treadle.tracking.service import artifacts as of_artifacts
from treadle.tracking.service import datasets as of_datasets
from treadle.tracking.service import experiments as of_experiments
from treadle.tracking.service import logged_models as of_models
from treadle.tracking.service import metrics as of_metrics
from treadle.tracking.service import runs as of_runs
from treadle.tracking.service.doors import Doors


class Tracking(Doors):
    """Runs and what they log. May be shared by threads; every verb is one transaction."""

    default_experiment = of_experiments.default_experiment
    experiment = of_experiments.experiment
    create_experiment = of_experiments.create_experiment
    experiment_by_id = of_experiments.experiment_by_id
    experiment_by_name = of_experiments.experiment_by_name
    experiments = of_experiments.experiments
    rename_experiment = of_experiments.rename_experiment
    delete_experiment = of_experiments.delete_experiment
    restore_experiment = of_experiments.restore_experiment
    tag_experiment = of_experiments.tag_experiment
    untag_experiment = of_experiments.untag_experiment

    start_run = of_runs.start_run
    end_run = of_runs.end_run
    update_run = of_runs.update_run
    delete_run = of_runs.delete_run
    restore_run = of_runs.restore_run
    tag_run = of_runs.tag_run
    untag_run = of_runs.untag_run
    log_input = of_runs.log_input
    run = of_runs.run
    run_counts = of_runs.run_counts
    runs_using = of_runs.runs_using
    metrics_of = of_runs.metrics_of
    search_runs = searches.search_runs
    search_experiments = searches.search_experiments
    search_logged_models = searches.search_logged_models

    watch_run = lives.watch_run
    beat = lives.beat
    fail_gone = lives.fail_gone
    is_any_watched = lives.is_any_watched

    log = of_metrics.log
    log_batch = of_metrics.log_batch
    log_points = of_metrics.log_points
    history = curves.history
    history_page = curves.history_page
    histories = curves.histories
    chart = curves.chart
    metric_summaries = curves.metric_summaries

    log_datasets = of_datasets.log_datasets
    datasets_of = of_datasets.datasets_of
    log_models = of_datasets.log_models

    create_logged_model = of_models.create_logged_model
    finalize_logged_model = of_models.finalize_logged_model
    logged_model = of_models.logged_model
    delete_logged_model = of_models.delete_logged_model
    tag_logged_model = of_models.tag_logged_model
    untag_logged_model = of_models.untag_logged_model
    log_logged_model_params = of_models.log_logged_model_params

    bring_experiment = arrivals.bring_experiment
    bring_run = arrivals.bring_run
    bring_logged_model = arrivals.bring_logged_model

    gc = cleaning.gc

    log_artifact = of_artifacts.log_artifact
    artifacts = of_artifacts.artifacts
    open_artifact = of_artifacts.open_artifact
