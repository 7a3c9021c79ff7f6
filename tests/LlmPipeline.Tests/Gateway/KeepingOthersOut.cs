using System.Net;
using System.Net.Http.Headers;
using System.Text;

namespace LlmPipeline;

public sealed class KeepingOthersOut(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    [Theory]
    [InlineData(null, null)]
    [InlineData("Bearer", "wrong")]
    [InlineData("Bearer", "")]
    [InlineData("Basic", GatewayHouse.Key)]
    public async Task Without_a_key_nothing_is_answered_but_how_the_gateway_is(string? scheme, string? key)
    {
        using var http = new HttpClient { BaseAddress = house.Gateway.Address };
        if (scheme is not null)
            http.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"{scheme} {key}");

        foreach (var path in (string[])["v1/files", "v1/batches", "v1/nothing", "openai/files"])
        {
            using var answer = await http.GetAsync(path);
            Assert.Equal((401, "invalid_request_error", key == "wrong" ? "invalid_api_key" : null), (await GatewayDesk.ErrorAsync(answer)) is var error ? (error.Status, error.Type, error.Code) : default);
        }

        Assert.Equal("""{"status":"ok","reason":null}""", await http.GetStringAsync("health"));
        Assert.Equal("""{"status":"ok","reason":null}""", await http.GetStringAsync("ready"));
    }

    [Fact]
    public async Task A_key_sees_only_what_is_its_own()
    {
        using var desk = new GatewayDesk(house.Gateway);
        using var other = new GatewayDesk(house.Gateway, GatewayHouse.OtherKey);
        var file = await desk.UploadAsync("mine");
        var batch = (await desk.CreateAsync(file)).BatchId;

        foreach (var (method, path) in new[]
        {
            (HttpMethod.Get, $"v1/files/{file}"), (HttpMethod.Get, $"v1/files/{file}/content"), (HttpMethod.Delete, $"v1/files/{file}"),
            (HttpMethod.Get, $"v1/batches/{batch}"), (HttpMethod.Post, $"v1/batches/{batch}/cancel"),
        })
            Assert.Equal(404, (await other.RefusedAsync(method, path)).Status);
        var refused = await other.RefusedAsync(
            HttpMethod.Post, "v1/batches", GatewayDesk.Json($$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}"""));

        Assert.Equal(404, refused.Status);
        Assert.Empty((await other.GetAsync("v1/files"))["data"]!.AsArray());
        Assert.Empty((await other.GetAsync("v1/batches"))["data"]!.AsArray());
        Assert.Equal("mine", Encoding.UTF8.GetString((await desk.Files.DownloadFileAsync(file)).Value));
    }

    [Fact]
    public async Task Every_key_of_the_gateway_in_Redis_names_its_owner_and_none_holds_the_access_key()
    {
        using var desk = new GatewayDesk(house.Gateway);
        await desk.CreateAsync(await desk.UploadAsync(desk.Lines(1)));

        var names = new List<string>();
        await foreach (var key in house.Fleet.Redis.Masters().Single().KeysAsync(pattern: "*gw:*"))
            names.Add((string)key!);

        Assert.NotEmpty(names);
        Assert.All(names, name => Assert.True(name == "gw:owners" || name.StartsWith($"{{gw:{ApiKey.Parse(GatewayHouse.Key).Owner}}}:", StringComparison.Ordinal) || name.StartsWith($"{{gw:{ApiKey.Parse(GatewayHouse.OtherKey).Owner}}}:", StringComparison.Ordinal), name));
        Assert.DoesNotContain(names, name => name.Contains(GatewayHouse.Key, StringComparison.Ordinal));
        Assert.DoesNotContain(GatewayHouse.Key, house.Gateway.Process.Said);
    }

    [Fact]
    public async Task The_paths_and_the_header_of_Azure_work_too()
    {
        using var http = new HttpClient { BaseAddress = house.Gateway.Address };
        http.DefaultRequestHeaders.Add("api-key", GatewayHouse.Key);

        using var form = new MultipartFormDataContent { { new StringContent("batch"), "purpose" }, { new ByteArrayContent("x"u8.ToArray()), "file", "in.jsonl" } };
        using var answer = await http.PostAsync("openai/files?api-version=2024-10-21", form);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Without_keys_a_gateway_serves_this_machine_and_no_page_of_another_site()
    {
        await using var house = await GatewayHouse.OpenAsync("ApiKeys__0", "ApiKeys__1");
        using var http = new HttpClient { BaseAddress = house.Gateway.Address };

        using var plain = await http.GetAsync("v1/files");
        using var rebound = new HttpRequestMessage(HttpMethod.Get, "v1/files") { Headers = { Host = "evil.example" } };
        using var refused = await http.SendAsync(rebound);
        using var foreign = new HttpRequestMessage(HttpMethod.Get, "v1/files") { Headers = { { "Origin", "https://evil.example" } } };
        using var refusedToo = await http.SendAsync(foreign);

        Assert.Equal(HttpStatusCode.OK, plain.StatusCode);
        Assert.Equal((403, "forbidden"), (await GatewayDesk.ErrorAsync(refused)) is var error ? (error.Status, error.Code) : default);
        Assert.Equal(403, (await GatewayDesk.ErrorAsync(refusedToo)).Status);
    }

    [Theory]
    [InlineData("http://0.0.0.0:0", null, "without API keys a gateway listens on this machine only")]
    [InlineData("http://*:0", null, "without API keys a gateway listens on this machine only")]
    [InlineData("http://example.org:80", null, "without API keys a gateway listens on this machine only")]
    [InlineData("https://127.0.0.1:0", null, "http://HOST:PORT is needed")]
    [InlineData("127.0.0.1", null, "http://HOST:PORT is needed")]
    [InlineData("http://127.0.0.1:0", "sha256:12", "Gateway:ApiKeys:0: after sha256: come 64 hex digits")]
    [InlineData("http://127.0.0.1:0", "two words", "Gateway:ApiKeys:0: a key holds only printable ASCII without blanks")]
    public async Task What_is_not_safe_is_refused_at_the_start(string url, string? key, string message)
    {
        using var llmpipe = new Llmpipe();
        if (key is not null)
            llmpipe.Environment["LLMPIPE__Gateway__ApiKeys__0"] = key;

        await using var gateway = new WorkProcess(llmpipe.Start("serve", "--redis", house.Fleet.Server.Address, "--urls", url, "--files", "files"));

        Assert.Equal(2, await gateway.ExitedAsync(TimeSpan.FromSeconds(60)));
        Assert.Contains(message, gateway.Said);
        Assert.True(key is null || !gateway.Said.Contains(key, StringComparison.Ordinal), gateway.Said);
    }
}
