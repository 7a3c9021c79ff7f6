using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmPipeline;

public sealed class DescribingTheApi(GatewayHouse house) : IClassFixture<GatewayHouse>
{
    private static readonly string[] Verbs = ["get", "post", "put", "patch", "delete"];

    [Fact]
    public async Task The_document_tells_every_route_that_there_is_and_no_other()
    {
        await using var redis = await Stores.ConnectAsync(house.Fleet.Server.Address);
        await using var gateway = await Gateway.StartAsync(
            new GatewayParts
            {
                Redis = redis,
                Queue = house.Fleet.Queue,
                Results = house.Fleet.Results,
                Options = new GatewayOptions { Files = house.Files },
                Urls = ["http://127.0.0.1:0"],
                Time = TimeProvider.System,
                Loggers = NullLoggerFactory.Instance,
            },
            CancellationToken.None);
        var document = JsonNode.Parse(OpenApiEndpoint.Document)!;

        var told = document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Where(item => Verbs.Contains(item.Key))
            .SelectMany(item => ((path.Value!["servers"] ?? document["servers"])!).AsArray().Select(server => $"{item.Key.ToUpperInvariant()} {((string)server!["url"]!).TrimEnd('/')}{path.Key}")));

        // The metrics are answered before the routes are looked at. OpenAPI has no way to tell that a value may hold slashes.
        var routes = gateway.Routes.Select(route => $"{route.Method} {route.Path.Replace("{**", "{", StringComparison.Ordinal)}");
        Assert.Equal(routes.Append("GET /metrics").Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task It_is_served_without_a_key()
    {
        using var stranger = new HttpClient { BaseAddress = house.Gateway.Address };

        using var answer = await stranger.GetAsync("openapi.json");

        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal("3.1.1", (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["openapi"]);
    }

    [Fact]
    public void Whatever_it_refers_to_is_in_it_and_operations_have_names_of_their_own()
    {
        var document = JsonNode.Parse(OpenApiEndpoint.Document)!;

        Assert.All(ValuesOf(document, "$ref"), reference => Assert.NotNull(reference.TrimStart('#', '/').Split('/').Aggregate((JsonNode?)document, (node, name) => node?[name])));
        Assert.Equal(ValuesOf(document, "operationId").Count(), ValuesOf(document, "operationId").Distinct().Count());
    }

    [Fact]
    public async Task Fields_of_a_job_are_those_that_it_tells()
    {
        using var desk = new GatewayDesk(house.Gateway);
        using var answer = await desk.Http.PostAsync("v1/jobs", GatewayDesk.Json($$"""{"model":"{{desk.Model}}","prompt":"x"}"""));
        var job = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!.AsObject();
        var schema = JsonNode.Parse(OpenApiEndpoint.Document)!["components"]!["schemas"]!["Job"]!["properties"]!.AsObject();

        Assert.Equal(schema.Select(field => field.Key), job.Select(field => field.Key));
    }

    private static IEnumerable<string> ValuesOf(JsonNode? node, string name) => node switch
    {
        JsonObject fields => fields.SelectMany(field => field.Key == name && field.Value is JsonValue value ? [(string)value!] : ValuesOf(field.Value, name)),
        JsonArray items => items.SelectMany(item => ValuesOf(item, name)),
        _ => [],
    };
}
