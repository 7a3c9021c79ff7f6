using StackExchange.Redis;

namespace LlmPipeline.Tests;

/// <summary><see cref="QuotaAccount"/> and <see cref="EarlierQuota"/>: what deployments share of a provider's account, whatever they are called.</summary>
public sealed class SharingAccounts
{
    [Fact]
    public void Deployments_with_the_same_endpoint_and_key_share_one_account_whatever_their_names()
    {
        var one = Deployment("one");
        var two = Deployment("two", deployment => deployment.Endpoint += "/");

        Assert.Equal(QuotaAccount.Of(one, null).Name, QuotaAccount.Of(two, null).Name);
        Assert.Equal(QuotaAccount.Of(one, "m").Name, QuotaAccount.Of(Deployment("three", deployment => deployment.Model = "m"), "m").Name);
        Assert.NotEqual(QuotaAccount.Of(one, "m").Name, QuotaAccount.Of(one, "n").Name);
        Assert.Equal(("two", "two/m"), (QuotaAccount.Of(two, null).EarlierName, QuotaAccount.Of(two, "m").EarlierName));
        Assert.Equal("three", QuotaAccount.Of(Deployment("three", deployment => deployment.Model = "m"), "m").EarlierName);
    }

    [Fact]
    public void Another_key_or_endpoint_is_another_account_and_no_name_holds_the_key()
    {
        DeploymentOptions[] all =
        [
            Deployment("d"), Deployment("d", d => d.ApiKey = "another-key"), Deployment("d", d => d.ApiKey = null), Deployment("d", d => d.Endpoint = "https://other.example/v1"),
            Deployment("d", d => d.Kind = DeploymentKind.AzureOpenAI), Deployment("d", d => d.Headers["api-key"] = "another-key"), Deployment("d", d => d.Query["key"] = "another-key"),
        ];
        var names = all.Select(one => QuotaAccount.Of(one, null).Name).ToList();
        Assert.Equal(names.Count, names.Distinct().Count());
        Assert.All(names, name => Assert.DoesNotContain("key", name));
        Assert.All(names, name => Assert.Null(Names.Fault(name)));
    }

    [Fact]
    public async Task A_prefix_of_quotas_keeps_accounts_apart()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var name = Stores.NewName("account");
        var (here, there) = (new RedisLedger(() => redis, name, "a:"), new RedisLedger(() => redis, name, "b:"));

        await GrantAsync(here, new QuotaAmount(600, 0), 0);

        await there.ExchangeAsync(null, SharingAQuota.Ask(new QuotaAmount(60, 0)));

        Assert.Equal((1, 0), await SumsAsync(redis, RedisLedger.KeyOf(name, "a:")));
        Assert.Equal((0, 0), await SumsAsync(redis, RedisLedger.KeyOf(name, "b:")));
        Assert.Equal($"a:{{quota:{name}}}", RedisLedger.KeyOf(name, "a:"));
        Assert.Contains(new LlmOptions { QuotaPrefix = "{a}" }.Faults(), fault => fault.StartsWith("QuotaPrefix: must not hold braces", StringComparison.Ordinal));
    }

    [Fact]
    public async Task While_a_worker_of_an_earlier_version_is_alive_its_key_is_charged_too()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var (account, deployment) = (Stores.NewName("account"), Stores.NewName("deployment"));
        var limits = new QuotaAmount(600, 60_000);
        // A worker of an earlier version: it keeps the quota under the deployment's name.
        var earlier = new RedisLedger(() => redis, deployment);
        var now = new RedisLedger(() => redis, account, earlier: deployment);
        await GrantAsync(now, limits, 100);
        Assert.False(await redis.Database.KeyExistsAsync(RedisLedger.KeyOf(deployment)));
        await earlier.ExchangeAsync(null, SharingAQuota.Ask(limits));
        var late = new RedisLedger(() => redis, account, earlier: deployment);

        // It hears of it, and tells what the minute has taken until now; then each call, and what it came to.
        var granted = await GrantAsync(late, limits, 200);
        Assert.Equal((2, 300), await SumsAsync(redis, RedisLedger.KeyOf(deployment)));
        await late.ExchangeAsync(new LedgerUpdate { Settlements = [new QuotaSettlement(granted.Slot, 0, -150, -150)] }, SharingAQuota.Ask(limits));
        await GrantAsync(late, limits, 50);
        Assert.Equal((3, 200), await SumsAsync(redis, RedisLedger.KeyOf(deployment)));
        Assert.Equal((3, 200), await SumsAsync(redis, RedisLedger.KeyOf(account)));
    }

    [Fact]
    public async Task The_key_of_an_earlier_version_whose_workers_are_gone_is_left_alone()
    {
        var redis = await Stores.ConnectAsync(Store.RedisServer);
        var (account, deployment) = (Stores.NewName("account"), Stores.NewName("deployment"));
        var hourAgo = TimeProvider.System.GetUtcNow().AddHours(-1).ToUnixTimeMilliseconds();
        await redis.Database.HashSetAsync(RedisLedger.KeyOf(deployment), [new HashEntry("queue", $"w-1-a 0 {hourAgo};")]);

        await new RedisLedger(() => redis, account, earlier: deployment).ExchangeAsync(null, SharingAQuota.Ask(new QuotaAmount(600, 0), (0, 0)));

        Assert.Equal(["queue"], (await redis.Database.HashKeysAsync(RedisLedger.KeyOf(deployment))).Select(field => (string)field!));
    }

    private static async Task<QuotaAnswer> GrantAsync(RedisLedger ledger, QuotaAmount limits, int tokens)
    {
        var answer = new QuotaAnswer();
        await Eventually.HoldsAsync(
            async () => (answer = await ledger.ExchangeAsync(null, SharingAQuota.Ask(limits, (tokens, tokens)))).Granted == 1, "the call is granted");
        return answer;
    }

    private static async Task<(long Requests, long Tokens)> SumsAsync(RedisConnections redis, RedisKey quota) =>
        await redis.Database.HashGetAsync(quota, ["s1", "s2"]) is var sums ? ((long)(double)sums[0], (long)(double)sums[1]) : default;

    private static DeploymentOptions Deployment(string name, Action<DeploymentOptions>? change = null)
    {
        var deployment = new DeploymentOptions { Name = name, Endpoint = "https://llm.example/v1", ApiKey = "the-key" };
        change?.Invoke(deployment);
        return deployment;
    }
}
