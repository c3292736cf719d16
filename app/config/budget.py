"""The noise budget: how many false pages per brand and month are put up with, and what a louder policy has to say.

    Policy, what its backtest measured, budget  ->  None, or which key is wrong and why

A louder policy is not forbidden: whoever wants one gives a reason, and it is kept with it.
"""

from app.model import Policy
from app.storage import Storage
from app.storage.policies import Measured

Refusal = tuple[str, str]
"""The key, as a `PolicySpec` calls it, and what is wrong."""


def refusal(policy: Policy, storage: Storage, budget: float) -> Refusal | None:
    """Why this policy cannot be put in force; None: it can. Reads what its backtest came to. Blocking."""
    cited = None if policy.backtest_id is None else storage.policies.measured(policy.backtest_id)
    return judge(policy, cited, budget)


def judge(policy: Policy, cited: Measured | None, budget: float) -> Refusal | None:
    """The same where what the backtest came to is known. Pure. `cited` None: there is no such backtest."""
    pages = None if cited is None else cited.pages_per_brand_month.get(policy.false_warnings_per_month)
    if policy.backtest_id is not None:
        if cited is None:
            return "backtest", f"there is no backtest {policy.backtest_id}"
        if cited.state == "done" and policy.false_warnings_per_month not in cited.pages_per_brand_month:
            return "backtest", f"backtest {policy.backtest_id} did not try this dial"
        if pages is None:
            return "backtest", f"backtest {policy.backtest_id} is {cited.state}, and has no pages per brand and month"
    if policy.reason:
        return None
    allowed = f"the noise budget is {budget:g} (setting noise_budget). Say why in `reason`"
    if policy.false_warnings_per_month > budget:
        return (
            "false_warnings_per_month",
            f"asks for more false pages per brand and month than are put up with: {allowed}",
        )
    if pages is not None and pages > budget:
        measured = f"{pages:.2g} pages per brand and month"
        return "backtest", f"backtest {policy.backtest_id} measured {measured}: {allowed}"
    return None
