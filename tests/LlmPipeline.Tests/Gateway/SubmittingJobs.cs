using System.Net;
using System.Text.Json.Nodes;

namespace LlmPipeline;

public sealed class SubmittingJobs(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    [Fact]
    public async Task A_prompt_is_answered()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);

        var taken = await desk.SubmitAsync(desk.Prompt(""","metadata":{"of":"größe"}"""));
        var job = await desk.EndOfAsync((string)taken["id"]!);

        Assert.Equal(("job", "queued", desk.Model), ((string?)taken["object"], (string?)taken["status"], (string?)taken["model"]));
        Assert.Equal(("completed", 200, 1, "größe"), ((string?)job["status"], (int)job["result"]!["status_code"]!, (int)job["attempts"]!, (string?)job["metadata"]!["of"]));
        Assert.NotEmpty((string?)job["result"]!["body"]!["choices"]![0]!["message"]!["content"] ?? "");
        Assert.True((int)job["usage"]!["output_tokens"]! > 0);
    }

    [Fact]
    public async Task A_list_may_hold_prompts_functions_and_requests()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);

        var taken = (await desk.SubmitAsync($$"""
            [{"model":"{{desk.Model}}","prompt":"hi"},
             {"model":"{{desk.Model}}","function":"summarize","variables":{"text":"<a> & {{"{{$b}}"}}"} },
             {"request":{"url":"/v1/embeddings","body":{"model":"{{desk.Model}}","input":["a","b"]} },"lane":"high","max_attempts":2}]
            """))["data"]!.AsArray();
        var jobs = await Task.WhenAll(taken.Select(job => desk.EndOfAsync((string)job!["id"]!)));

        Assert.All(jobs, job => Assert.Equal("completed", (string?)job["status"]));
        Assert.Equal(["chat.completion", "chat.completion", "list"], jobs.Select(job => (string?)job["result"]!["body"]!["object"]));
    }

    [Theory]
    [InlineData("[]", null)]
    [InlineData("7", null)]
    [InlineData("[7]", "[0]")]
    [InlineData("""{"prompt":"x"}""", "model")]
    [InlineData("""{"model":"a{b","prompt":"x"}""", "model")]
    [InlineData("""[{"model":"m","prompt":"x"},{"model":"m"}]""", "[1].prompt")]
    [InlineData("""[{"model":"m","prompt":"x"},{"model":"m","prompt":"x","request":{"url":"/v1/embeddings","body":{"model":"m"}}}]""", "[1].request")]
    [InlineData("""[{"model":"m","prompt":"x"},{"model":"m","prompt":"x","lane":"fast"}]""", "[1].lane")]
    [InlineData("""{"model":"m","prompt":"x","delay":-1}""", "delay")]
    [InlineData("""{"model":"m","prompt":"x","delay":"1"}""", "delay")]
    [InlineData("""{"model":"m","prompt":"x","deadline":0}""", "deadline")]
    [InlineData("""{"model":"m","prompt":"x","deadline":5,"delay":6}""", "deadline")]
    [InlineData("""{"model":"m","prompt":"x","max_attempts":0}""", "max_attempts")]
    [InlineData("""{"model":"m","prompt":"x","metadata":{"a":1}}""", "metadata.a")]
    [InlineData("""{"model":"m","prompt":"x","idempotency_key":""}""", "idempotency_key")]
    [InlineData("""[{"model":"m","prompt":"x","idempotency_key":"k"},{"model":"m","prompt":"x","idempotency_key":"k"}]""", "[1].idempotency_key")]
    [InlineData("""{"model":"m","prompt":"x","idempotencyKey":"a"}""", "idempotencyKey")]
    [InlineData("""{"model":"m","function":"../prompts/summarize","variables":{"text":"x"}}""", "function")]
    [InlineData("""{"model":"m","function":"summarize","variables":{}}""", "variables.text")]
    [InlineData("""{"model":"m","function":"summarize","variables":{"text":"x","txt":"y"}}""", "variables.txt")]
    [InlineData("""{"request":{"url":"/v1/files","body":{"model":"m"}}}""", "request.url")]
    [InlineData("""{"request":{"url":"/v1/embeddings","body":{}}}""", "request.body.model")]
    [InlineData("""{"model":"n","request":{"url":"/v1/embeddings","body":{"model":"m"}}}""", "model")]
    [InlineData("""{"model":"m","prompt":"\ud800"}""", "prompt")]
    public async Task What_is_wrong_is_told_by_place_and_field_and_nothing_is_taken(string body, string? param)
    {
        using var desk = new GatewayDesk(house.Gateway);

        var refused = await desk.RefusedAsync(HttpMethod.Post, JobsDesk.Path, GatewayDesk.Json(body));

        Assert.Equal((400, "invalid_request_error", param), (refused.Status, refused.Type, refused.Param));
        Assert.DoesNotContain("m", await house.Fleet.Queue.QueuesAsync());
    }

    [Fact]
    public async Task More_than_500_are_refused()
    {
        using var desk = new GatewayDesk(house.Gateway);

        var refused = await desk.RefusedAsync(HttpMethod.Post, JobsDesk.Path, GatewayDesk.Json($"[{string.Join(',', Enumerable.Repeat(desk.Prompt(), 501))}]"));

        Assert.Equal((400, "The body must be a JSON object, or a list of 1 to 500 of them."), (refused.Status, refused.Message));
    }

    [Fact]
    public async Task The_same_key_is_the_same_job_and_is_paid_once()
    {
        await using var own = await GatewayHouse.OpenAsync();
        await own.Fleet.WorkAsync();
        using var desk = new GatewayDesk(own.Gateway);
        using var other = new GatewayDesk(own.Gateway, GatewayHouse.OtherKey);
        var body = desk.Prompt(""","idempotency_key":"k" """);

        var ids = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => desk.SubmitOneAsync(body)));
        await desk.EndOfAsync(ids[0]);
        var again = await desk.SubmitAsync(body);
        var refused = await desk.RefusedAsync(HttpMethod.Post, JobsDesk.Path, GatewayDesk.Json(desk.Prompt(""","lane":"low","idempotency_key":"k" """)));
        var others = await other.SubmitOneAsync(body);

        Assert.Single(ids.Append((string)again["id"]!).Distinct());
        Assert.Equal("completed", (string?)again["status"]);
        Assert.Equal((409, "idempotency_key"), (refused.Status, refused.Param));
        await other.EndOfAsync(others);
        Assert.Equal(2, own.Fleet.Llm.Stats.Calls);
    }

    [Fact, Trait("Category", "Slow")]
    public async Task A_delayed_job_waits_and_one_past_its_deadline_expires()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var delayed = await desk.SubmitOneAsync(desk.Prompt(""","delay":3600"""));
        await house.HoldAsync(desk.Model);

        var job = await desk.EndOfAsync(await desk.SubmitOneAsync(desk.Prompt(""","deadline":0.5""")));

        Assert.Equal(("expired", "job_expired"), ((string?)job["status"], (string?)job["error"]!["code"]));
        Assert.Equal("queued", (string?)(await desk.GetAsync($"{JobsDesk.Path}/{delayed}"))["status"]);
        Assert.Equal(1, (await house.Fleet.Queue.StatsAsync(desk.Model)).Delayed);
    }

    [Fact]
    public async Task A_refused_job_fails_with_the_answer_of_the_provider()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);

        var job = await desk.EndOfAsync(await desk.SubmitOneAsync(
            $$"""{"request":{"url":"/v1/chat/completions","body":{"model":"{{desk.Model}}","messages":[{"role":"user","content":"x"}],"response_format":{"type":"poem"} } } }"""));

        Assert.Equal(("failed", 400), ((string?)job["status"], (int)job["result"]!["status_code"]!));
        Assert.Equal("response_format.type", (string?)job["result"]!["body"]!["error"]!["param"]);
    }

    [Fact]
    public async Task A_job_is_its_owners_alone()
    {
        await house.HoldAsync("held-for-owners");
        using var desk = new GatewayDesk(house.Gateway);
        using var other = new GatewayDesk(house.Gateway, GatewayHouse.OtherKey);
        var id = await desk.SubmitOneAsync("""{"model":"held-for-owners","prompt":"secret"}""");

        foreach (var (method, path) in new[] { (HttpMethod.Get, id), (HttpMethod.Get, id + "?wait=1"), (HttpMethod.Get, id + "/events"), (HttpMethod.Delete, id) })
            Assert.Equal((404, "id"), await StatusAsync(other.RefusedAsync(method, $"{JobsDesk.Path}/{path}")));

        Assert.Equal("queued", (string?)(await desk.GetAsync($"{JobsDesk.Path}/{id}"))["status"]);
        using var stranger = new HttpClient { BaseAddress = house.Gateway.Address };
        Assert.Equal(HttpStatusCode.Unauthorized, (await stranger.GetAsync($"{JobsDesk.Path}/{id}")).StatusCode);
    }

    [Fact]
    public async Task A_cancelled_job_ends_without_a_call_and_one_that_has_ended_stays_as_it_is()
    {
        await house.Fleet.WorkAsync();
        using var desk = new GatewayDesk(house.Gateway);
        var ended = await desk.SubmitOneAsync(desk.Prompt());
        await desk.EndOfAsync(ended);
        await house.HoldAsync(desk.Model);
        var waiting = await desk.SubmitOneAsync(desk.Prompt());

        await desk.CancelAsync(waiting);
        var (status, job) = await desk.CancelAsync(ended);

        Assert.Equal(("cancelled", 0), ((string?)(await desk.EndOfAsync(waiting))["status"], (int)(await desk.EndOfAsync(waiting))["attempts"]!));
        Assert.Equal((HttpStatusCode.OK, "completed"), (status, (string?)job["status"]));
    }

    private static async Task<(int Status, string? Param)> StatusAsync(Task<(int Status, string? Type, string? Code, string? Param, string Message)> refused)
    {
        var error = await refused;
        return (error.Status, error.Param);
    }
}
