using System.Net;

namespace LlmPipeline;

/// <summary>Shapes: <see href="https://platform.openai.com/docs/api-reference/models"/>.</summary>
public sealed class ListingModels(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    [Fact]
    public async Task A_model_is_listed_when_it_has_a_queue()
    {
        using var desk = new GatewayDesk(house.Gateway);
        await house.Fleet.Queue.EnqueueAsync(desk.Model, "hello");

        var list = await desk.GetAsync("v1/models");

        Assert.Equal("list", (string?)list["object"]);
        var model = list["data"]!.AsArray().Single(model => (string?)model!["id"] == desk.Model)!;
        Assert.Equal($$"""{"id":"{{desk.Model}}","object":"model","created":0,"owned_by":"llmpipe"}""", model.ToJsonString());
    }

    [Theory]
    [InlineData("org/model", "v1/models/org/model")]
    [InlineData("org/model", "v1/models/org%2Fmodel")]
    [InlineData("org/model", "openai/models/org%2fmodel?api-version=2024-10-21")]
    [InlineData("hub/org/model:7b@q4", "v1/models/hub/org/model:7b@q4")]
    [InlineData("hub/org/model:7b@q4", "v1/models/hub%2Forg%2Fmodel%3A7b%40q4")]
    [InlineData("größe 1", "v1/models/gr%C3%B6%C3%9Fe%201")]
    public async Task A_model_is_found_by_any_name_that_a_queue_may_have(string model, string path)
    {
        using var desk = new GatewayDesk(house.Gateway);
        await house.Fleet.Queue.EnqueueAsync(model, "hello");

        Assert.Equal(model, (string?)(await desk.GetAsync(path))["id"]);
    }

    [Theory]
    [InlineData("v1/models/org/none", "org/none")]
    [InlineData("v1/models/none%2Fat-all:1", "none/at-all:1")]
    [InlineData("v1/models/a%7Bb", "a{b")]
    public async Task A_model_without_a_queue_is_a_404_with_the_code_that_clients_know(string path, string model)
    {
        using var desk = new GatewayDesk(house.Gateway);

        var refused = await desk.RefusedAsync(HttpMethod.Get, path);

        Assert.Equal((404, "invalid_request_error", "model_not_found", "model", $"The model '{model}' does not exist"), refused);
    }

    [Fact]
    public async Task Models_are_listed_for_callers_with_a_key_only()
    {
        using var stranger = new HttpClient { BaseAddress = house.Gateway.Address };
        foreach (var path in (string[])["v1/models", "v1/models/any", "openai/models"])
        {
            using var answer = await stranger.GetAsync(path);
            Assert.Equal(401, (await GatewayDesk.ErrorAsync(answer)).Status);
        }
    }

    [Theory]
    [InlineData("v1/models")]
    [InlineData("v1/models/")]
    [InlineData("v1/files")]
    [InlineData("health")]
    public async Task HEAD_is_answered_as_GET_is_but_without_the_body(string path)
    {
        using var desk = new GatewayDesk(house.Gateway);
        using var request = new HttpRequestMessage(HttpMethod.Head, path);

        using var answer = await desk.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.True(answer.Content.Headers.ContentLength > 0);
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync());
    }
}
