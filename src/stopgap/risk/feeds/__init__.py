"""What is publicly known of vulnerabilities. A feed is a file here and a line below."""

from stopgap.risk.feeds import epss, kev
from stopgap.risk.feeds.model import Feed

FEEDS: dict[str, Feed] = {
    "kev": kev.FEED,
    "epss": epss.FEED,
}
