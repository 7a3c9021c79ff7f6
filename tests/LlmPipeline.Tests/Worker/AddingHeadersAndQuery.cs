namespace LlmPipeline.Tests;

/// <summary><see cref="EndpointAdditions"/>: what the settings add to each call.</summary>
public sealed class AddingHeadersAndQuery
{
    [Fact]
    public async Task They_go_with_each_call_in_the_place_of_what_the_client_sends()
    {
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        var at = CallerHouse.At(endpoint);
        at.Headers["OpenAI-Organization"] = "org-1";
        at.Headers["user-agent"] = "ours/1";
        at.Query["region"] = "eu west&x=1";
        at.Query["v"] = "";
        await using var caller = CallerHouse.Caller(CallerHouse.Options(at));

        await caller.CallAsync(CallerHouse.Request(), 0, default);

        var request = Assert.Single(endpoint.Requests);
        Assert.Equal("/v1/chat/completions?region=eu%20west%26x%3D1&v=", request.Target);
        Assert.Equal(
            ("org-1", "ours/1", "Bearer sk-secret"),
            (request.Headers["OpenAI-Organization"], request.Headers["User-Agent"], request.Headers["Authorization"]));
    }

    [Fact]
    public async Task A_deployment_without_a_key_may_be_signed_by_a_header()
    {
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        var at = CallerHouse.At(endpoint);
        at.ApiKey = null;
        at.Headers["Authorization"] = "Basic dXNlcjp4";
        await using var caller = CallerHouse.Caller(CallerHouse.Options(at));

        await caller.CallAsync(CallerHouse.Request(), 0, default);

        Assert.Equal("Basic dXNlcjp4", Assert.Single(endpoint.Requests).Headers["Authorization"]);
    }

    [Fact]
    public async Task Azures_api_version_stays_before_them()
    {
        await using var endpoint = new RawEndpoint((_, _) => RawReply.Ok);
        var at = CallerHouse.At(endpoint);
        (at.Kind, at.Endpoint, at.ApiVersion) = (DeploymentKind.AzureOpenAI, endpoint.Url, "2024-10-21");
        at.Query["subscription"] = "s";
        at.Headers["Ocp-Apim-Subscription-Key"] = "k";
        await using var caller = CallerHouse.Caller(CallerHouse.Options(at));

        await caller.CallAsync(CallerHouse.Request(), 0, default);

        var request = Assert.Single(endpoint.Requests);
        Assert.EndsWith("?api-version=2024-10-21&subscription=s", request.Target, StringComparison.Ordinal);
        Assert.Equal(("k", "sk-secret"), (request.Headers["Ocp-Apim-Subscription-Key"], request.Headers["api-key"]));
    }

    [Theory]
    [InlineData("X Name", "v", "Headers: 'X Name' is not the name of a header")]
    [InlineData("X-Näme", "v", "Headers: 'X-Näme' is not the name of a header")]
    [InlineData("", "v", "Headers: '' is not the name of a header")]
    [InlineData("X-Name", "secret\r\nX-Other: 1", "Headers: the value of X-Name is empty, or holds a character")]
    [InlineData("X-Name", "secrét", "Headers: the value of X-Name is empty, or holds a character")]
    [InlineData("X-Name", "", "Headers: the value of X-Name is empty")]
    [InlineData("content-length", "secret", "Headers: content-length cannot be set")]
    [InlineData("Host", "secret", "Headers: Host cannot be set")]
    [InlineData("Transfer-Encoding", "secret", "Headers: Transfer-Encoding cannot be set")]
    [InlineData("x-llmpipeline-job-id", "secret", "Headers: x-llmpipeline-job-id cannot be set")]
    [InlineData("authorization", "secret", "Headers: authorization is what signs the calls already; leave ApiKey out")]
    public void A_header_that_cannot_be_sent_is_refused_without_its_value(string name, string value, string said)
    {
        var options = new DeploymentOptions { Name = "one", Endpoint = "http://h/v1", ApiKey = "sk" };
        options.Headers[name] = value;

        var fault = Assert.Single(CallerHouse.Options(options).Faults());

        Assert.StartsWith("Deployments[one]." + said, fault, StringComparison.Ordinal);
        Assert.DoesNotContain("secr", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Azure_signs_its_calls_itself_and_has_a_setting_for_its_version()
    {
        var options = new DeploymentOptions { Name = "one", Kind = DeploymentKind.AzureOpenAI, Endpoint = "https://h" };
        options.Headers["Authorization"] = "secret";
        options.Query["api-version"] = "1";
        options.Query["\u0001"] = "x";
        options.Query["x"] = "a\nb";

        Assert.Equal(
            [
                "Deployments[one].Headers: Authorization is what signs the calls already; Azure.Identity makes it",
                "Deployments[one].Query: api-version is the setting ApiVersion",
                "Deployments[one].Query: '?' is not the name of a field",
                "Deployments[one].Query: the value of x is missing, or holds a control character",
            ],
            CallerHouse.Options(options).Faults());
    }
}
