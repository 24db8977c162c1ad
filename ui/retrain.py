"""The part of the Models page that trains: what it will do, the button (operators only), and the job's progress.

The job is looked up at the API on every run, so leaving the page, reloading it or another browser changes nothing.
"""

import streamlit as st

from ui import blocks, words
from ui.answers import Job, Version
from ui.client import ApiError, Client
from ui.login import Account

POLL_SECONDS = 1.0
ACTIVE = ("queued", "running")


def newest_training(jobs: list[Job]) -> Job | None:
    """The training that is under way, or else the newest that has ended; None if there is none."""
    trainings = [job for job in jobs if job["kind"] == "training"]
    return next((job for job in trainings if job["state"] in ACTIVE), trainings[0] if trainings else None)


def retraining(client: Client, champion: Version | None) -> None:
    """Shows the section; nothing for those who may not train and see no training."""
    account: Account = st.session_state["account"]
    job = newest_training(client.jobs())
    if not account.may_operate and (job is None or job["state"] not in ACTIVE):
        return
    if account.may_operate:
        blocks.heading("Train a new version", _plan(champion))
    else:
        blocks.heading("A new version is in training")
    active = job is not None and job["state"] in ACTIVE
    if job is not None and active:
        st.fragment(_progress, run_every=POLL_SECONDS)(client, job["id"], account.may_operate)
        return
    if job is not None:
        _ended(job)
    if account.may_operate and st.button("Retrain", key="retrain", type="primary", icon=":material/model_training:"):
        client.retrain()
        st.rerun()


def _plan(champion: Version | None) -> str:
    if champion is None:
        return "Trains the first version on every flight whose outcome is final, and puts it in service."
    return (
        "Trains on every flight whose outcome is final at the data clock and registers the result as a new version, "
        f"with its figures beside version {champion['version']}. That one took {champion['duration_seconds']:.0f} s; "
        f"version {champion['version']} answers all the while."
    )


def _progress(client: Client, job_id: str, may_cancel: bool) -> None:
    try:
        job = client.job(job_id)
    except ApiError as error:
        blocks.failed(error)
        return
    if job["state"] not in ACTIVE:
        st.rerun()
    if job["state"] == "queued":
        st.progress(0.0, text=f"Waiting for the worker, since {words.both_clocks(job['created_at'])}")
    else:
        st.progress(job["progress"], text=f"{words.percent(job['progress'])} · {job['message'] or 'training'}")
    if may_cancel and st.button("Cancel this training", key="cancel-training"):
        client.cancel(job_id)
        st.rerun()


def _ended(job: Job) -> None:
    ended = words.both_clocks(job["ended_at"] or job["created_at"])
    if job["state"] == "failed":
        reason = job["error"] or "The job said no reason; the worker's log has it."
        blocks.notice(f"The last training failed, {ended}", reason, "Mend the cause, then retrain.", alarming=True)
        return
    version = (job["result"] or {}).get("version")
    made = f"It made version {version}." if version else ""
    st.caption(f"The last training was {job['state']} {ended}. {made}")
