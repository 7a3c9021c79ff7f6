using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using LlmPipeline.Tests;

namespace LlmPipeline;

/// <summary>What an address names is what is used, or the message says why not: <see cref="RedisConnections"/>.</summary>
public sealed class ReachingTheRightRedis
{
    [Fact]
    public async Task A_database_that_is_not_there_is_an_error_and_not_database_0()
    {
        await using var server = await RedisServer.StartAsync("--databases", "1");
        var thrown = await RefusedAsync($"redis://{server.Address}/7");
        Assert.True(thrown.IsSetting);
        Assert.Contains("database 7 cannot be selected: ERR DB index is out of range", thrown.Message, StringComparison.Ordinal);
        using var llmpipe = new Llmpipe();
        var (code, _, error) = await llmpipe.RunAsync("status", "--redis", $"{server.Address},defaultDatabase=7");
        Assert.Equal(2, code);
        Assert.Contains("database 7 cannot be selected", error);
    }

    [Fact]
    public async Task A_database_that_is_refused_later_is_an_error_too()
    {
        await using var server = await RedisServer.StartAsync();
        await using var redis = await Stores.ConnectAsync($"redis://{server.Address}/7");
        var queue = await TestQueue.CreateAsync(redis);
        await queue.EnqueueRowsAsync(1, 1);
        // As another server behind the same address that has one database only.
        await RedisCluster.AskAsync(server, "ACL", "SETUSER", "default", "-select");
        await RedisCluster.AskAsync(server, "CLIENT", "KILL", "TYPE", "normal");
        await redis.Restored.WaitAsync(0, TimeSpan.FromSeconds(20), TimeProvider.System, CancellationToken.None);

        await Assert.ThrowsAsync<RedisUnreachableException>(() => Eventually.HoldsAsync(
            async () =>
            {
                await queue.EnqueueRowsAsync(2, 2);
                return false;
            },
            "the database is refused"));
        Assert.Equal("0", (await RedisCluster.AskAsync(server, "DBSIZE")).Trim());
    }

    [Fact]
    public async Task A_cluster_has_no_databases()
    {
        var cluster = await RedisCluster.SharedAsync();
        Assert.Contains("a Redis Cluster has no databases", (await RefusedAsync($"redis://{cluster.Masters[0].Address}/3")).Message, StringComparison.Ordinal);
    }

    [Fact, Trait("Category", "Slow")]
    public async Task A_replica_alone_is_named_with_its_master()
    {
        await using var master = await RedisServer.StartAsync();
        await using var replica = await RedisServer.StartAsync("--replicaof", "127.0.0.1", master.Port.ToString(CultureInfo.InvariantCulture));
        Assert.Contains($"it is a replica of 127.0.0.1:{master.Port}", (await RefusedAsync(replica.Address)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_full_of_clients_says_so()
    {
        await using var server = await RedisServer.StartAsync("--maxclients", "1");
        Assert.Contains("it accepts no more clients (maxclients)", (await RefusedAsync(server.Address)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_is_an_address()
    {
        var path = Path.Join(Path.GetTempPath(), $"llmpipe-{Guid.NewGuid():n}.sock");
        await using var server = await RedisServer.StartAsync("--unixsocket", path);
        await using var redis = await Stores.ConnectAsync($"unix:{path},defaultDatabase=2");
        Assert.Equal($"unix:{path}", redis.Name);
        await (await TestQueue.CreateAsync(redis)).EnqueueRowsAsync(1, 1);
        Assert.NotEqual("0", (await RedisCluster.AskAsync(server, "-n", "2", "DBSIZE")).Trim());
    }

    [Fact]
    public async Task What_an_address_says_of_timeouts_is_used_and_the_rest_has_defaults()
    {
        await using var redis = await Stores.ConnectAsync((await RedisServer.SharedAsync()).Address + ",connectTimeout=777,keepAlive=33,connectRetry=5,asyncTimeout=4321,name=mine,allowAdmin=false");
        var options = redis.Options;
        Assert.Equal((777, 33, 5, 4321, "mine", false), (options.ConnectTimeout, options.KeepAlive, options.ConnectRetry, options.AsyncTimeout, options.ClientName, options.AllowAdmin));
        await using var plain = await Stores.ConnectAsync((await RedisServer.SharedAsync()).Address);
        Assert.Equal((5000, 10, 1, 10_000, true, true), (plain.Options.ConnectTimeout, plain.Options.KeepAlive, plain.Options.ConnectRetry, plain.Options.AsyncTimeout, plain.Options.AllowAdmin, plain.Options.AbortOnConnectFail));
    }

    [Theory]
    [InlineData("h:1,channelPrefix=a", "channelPrefix is not supported")]
    [InlineData("h:1,proxy=Twemproxy", "proxy=Twemproxy is not supported")]
    [InlineData("h:1,cert=/no/such.pem,ssl=true", "/no/such.pem: there is no such file")]
    [InlineData("rediss://h:1?cert=/no/such.pem", "/no/such.pem: there is no such file")]
    [InlineData("rediss://h:1?timeout=3", "not 'timeout'")]
    [InlineData("unix:redis.sock", "a Unix socket looks like")]
    public void What_cannot_be_done_is_refused(string address, string reason) =>
        Assert.Contains(reason, Assert.Throws<FormatException>(() => RedisAddress.Parse(address)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Tls_that_does_not_fit_is_told_from_no_answer()
    {
        using var authority = new TestAuthority();
        using var server = authority.Issue("localhost");
        using var client = authority.Issue("client");
        var (ca, cert, key) = (authority.Write(authority.Pem), authority.Write(client.ExportCertificatePem()), authority.Write(Pem(client)));
        var port = FreePort();
        await using var redis = await RedisServer.StartAsync(
            "--tls-port", port.ToString(CultureInfo.InvariantCulture), "--tls-cert-file", authority.Write(server.ExportCertificatePem()),
            "--tls-key-file", authority.Write(Pem(server)), "--tls-ca-cert-file", ca);
        var secure = $"127.0.0.1:{port},ssl=true,sslHost=localhost";

        Assert.Contains("it does not speak TLS", (await RefusedAsync($"rediss://{redis.Address}")).Message, StringComparison.Ordinal);
        Assert.Contains("it speaks TLS", (await RefusedAsync($"127.0.0.1:{port}")).Message, StringComparison.Ordinal);
        Assert.Contains("its TLS certificate is refused", (await RefusedAsync($"{secure},cert={cert},key={key}")).Message, StringComparison.Ordinal);
        Assert.Contains("asks for a client certificate", (await RefusedAsync($"{secure},cacert={ca}")).Message, StringComparison.Ordinal);
        await using var opened = await Stores.ConnectAsync($"{secure},cacert={ca},cert={cert},key={key}");
        await (await TestQueue.CreateAsync(opened)).EnqueueRowsAsync(1, 1);
        // A URL names them too, and a database is checked over TLS.
        await using var url = await Stores.ConnectAsync($"rediss://localhost:{port}/2?cacert={ca}&cert={cert}&key={key}");
        await (await TestQueue.CreateAsync(url)).EnqueueRowsAsync(1, 1);

        // A renewed certificate is used by the next connection.
        using var others = new TestAuthority();
        using var stranger = others.Issue("client");
        File.WriteAllText(cert, stranger.ExportCertificatePem());
        File.WriteAllText(key, Pem(stranger));
        Assert.Contains("it refuses the client's certificate", (await RefusedAsync($"{secure},cacert={ca},cert={cert},key={key}")).Message, StringComparison.Ordinal);
    }

    private static Task<RedisUnreachableException> RefusedAsync(string address) =>
        Assert.ThrowsAsync<RedisUnreachableException>(() => Stores.ConnectAsync(address)).WaitAsync(TimeSpan.FromSeconds(60));

    private static string Pem(X509Certificate2 certificate)
    {
        using var key = certificate.GetECDsaPrivateKey()!;
        return key.ExportPkcs8PrivateKeyPem();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
