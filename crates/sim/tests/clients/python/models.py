"""The vendor's own Python SDK against the simulator: each answer and each event must be understood
by its models without loss. What was parsed is printed as one JSON object, model by model.

The order, as JSON in the environment: host, port, clientId, clientSecret, ca, unit, team, users,
interval, events (a file of {"model": ..., "body": ...}, one a line).
"""

import datetime
import json
import os
import urllib.request
import ssl
from collections import Counter

import PureCloudPlatformClientV2 as genesys
from dateutil.parser import parse as moment

order = json.loads(os.environ["ORDER"])
genesys.configuration.ssl_ca_cert = order["ca"]
client = genesys.api_client.ApiClient()
client.set_gateway(order["host"], "https", order["port"], "", "")
client.get_client_credentials_token(order["clientId"], order["clientSecret"])

parsed = Counter()
answers = []
understand = client.deserialize


def noted(response, model):
    """What the SDK makes of an answer, beside the answer's own text."""
    result = understand(response, model)
    answers.append((model, response.data, result))
    return result


client.deserialize = noted


def plain(value):
    """A model as it would be sent again, without what it does not say."""
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items() if one is not None}
    if hasattr(value, "attribute_map"):
        members = {value.attribute_map[name]: getattr(value, name) for name in value.swagger_types}
        return plain(members)
    return value


def same(raw, model, path):
    """Every member of the raw JSON is in the model, with its value, and nothing else is."""
    if isinstance(model, datetime.datetime):
        assert moment(raw) == model, f"{path}: {raw} became {model}"
    elif isinstance(raw, dict):
        assert isinstance(model, dict), f"{path}: {raw} became {model}"
        lost, made = raw.keys() - model.keys(), model.keys() - raw.keys()
        assert not lost and not made, f"{path}: lost {lost}, made up {made}"
        for name, member in raw.items():
            same(member, model[name], f"{path}.{name}")
    elif isinstance(raw, list):
        assert isinstance(model, list) and len(raw) == len(model), f"{path}: {raw} became {model}"
        for at, (one, other) in enumerate(zip(raw, model)):
            same(one, other, f"{path}[{at}]")
    else:
        assert raw == model, f"{path}: {raw} became {model}"


def check(model, raw, result):
    same(raw, plain(result), model)
    parsed[model] += 1


def parse(model, raw):
    check(model, raw, client._ApiClient__deserialize(raw, model))


notifications = genesys.NotificationsApi(client)
workforce = genesys.WorkforceManagementApi(client)
analytics = genesys.AnalyticsApi(client)

channel = notifications.post_notifications_channels()
topics = [genesys.ChannelTopic() for _ in order["users"]]
for topic, user in zip(topics, order["users"] + ["nobody"]):
    topic.id = f"v2.users.{user}.workforcemanagement.adherence"
topics[-1].id = "v2.users.nobody.presence"
notifications.put_notifications_channel_subscriptions(channel.id, topics, ignore_errors=True)
notifications.get_notifications_channel_subscriptions(channel.id)
notifications.get_notifications_channels()
notifications.head_notifications_channel(channel.id)
try:
    notifications.put_notifications_channel_subscriptions("nothing", topics)
    raise AssertionError("a channel that there is not")
except genesys.rest.ApiException as refused:
    assert refused.status == 404
    parse("ErrorBody", json.loads(refused.body))

workforce.get_workforcemanagement_adherence(order["users"])
workforce.get_workforcemanagement_managementunit_adherence(order["unit"])
workforce.get_workforcemanagement_team_adherence(order["team"])
large = workforce.get_workforcemanagement_managementunit_adherence(
    order["unit"], force_download_service=True
)
trusted = ssl.create_default_context(cafile=order["ca"])


def download(url):
    with urllib.request.urlopen(url, context=trusted) as response:
        return json.load(response)


parse("UserScheduleAdherenceListing", download(large.download_url))

query = genesys.ConversationQuery()
query.interval = order["interval"]
query.order = "desc"
query.order_by = "conversationEnd"
query.paging = genesys.PagingSpec()
query.paging.page_size, query.paging.page_number = 100, 1
page = analytics.post_analytics_conversations_details_query(query)
assert page.total_hits >= len(page.conversations) > 0

item = genesys.WfmHistoricalAdherenceBulkItem()
item.management_unit_id = order["unit"]
item.start_date = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
item.end_date = datetime.datetime(2100, 1, 1, tzinfo=datetime.timezone.utc)
item.include_actuals = item.include_exceptions = True
bulk = genesys.WfmHistoricalAdherenceBulkQuery()
bulk.items, bulk.time_zone = [item], "UTC"
job = workforce.post_workforcemanagement_adherence_historical_bulk(bulk)
while job.job.status == "Processing":
    job = workforce.get_workforcemanagement_adherence_historical_bulk_job(job.job.id)
for url in job.download_urls:
    parse("WfmHistoricalAdherenceBulkResult", download(url))
notifications.delete_notifications_channel_subscriptions(channel.id)

for model, text, result in answers:
    if model is not None:
        check(model, json.loads(text), result)
with open(order["events"], encoding="utf-8") as events:
    for line in events:
        event = json.loads(line)
        parse(event["model"], event["body"])

print(json.dumps(parsed))
