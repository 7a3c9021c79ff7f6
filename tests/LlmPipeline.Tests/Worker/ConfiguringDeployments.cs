using Microsoft.Extensions.Configuration;

namespace LlmPipeline.Tests;

public sealed class ConfiguringDeployments
{
    [Fact]
    public void A_base_URL_is_enough_and_a_key_alone_means_OpenAI()
    {
        var local = Assert.Single(Read(("OPENAI_BASE_URL", " http://127.0.0.1:8000/v1 ")));
        Assert.Equal(("http://127.0.0.1:8000/v1", null, null), (local.Endpoint, local.ApiKey, local.Model));
        var openAI = Assert.Single(Read(("OPENAI_API_KEY", "sk-1"), ("OPENAI_BASE_URL", "")));
        Assert.Equal(("https://api.openai.com/v1", "sk-1"), (openAI.Endpoint, openAI.ApiKey));
        Assert.Empty(Read(("AZURE_OPENAI_API_KEY", "k")));
    }

    [Fact]
    public void Azure_stands_in_for_OpenAI_when_both_are_named()
    {
        var both = Read(("OPENAI_API_KEY", "sk-1"), ("AZURE_OPENAI_ENDPOINT", "https://n.openai.azure.com"), ("AZURE_OPENAI_API_VERSION", "2025-01-01-preview"));
        Assert.Equal([("openai", 0), ("azure", 1)], both.Select(one => (one.Name, one.Priority)));
        Assert.Equal((DeploymentKind.AzureOpenAI, "2025-01-01-preview", null), (both[1].Kind, both[1].ApiVersion, both[1].ApiKey));
    }

    [Theory]
    [InlineData("localhost:8000/v1")]
    [InlineData("ftp://h/v1")]
    [InlineData("http://h/v1?x=1")]
    [InlineData("http://user:pw@h/v1")]
    public void A_URL_that_is_none_is_refused_by_the_variables_name_without_its_value(string url)
    {
        var e = Assert.Throws<LlmSettingsException>(() => Read(("OPENAI_BASE_URL", url)));
        Assert.StartsWith("OPENAI_BASE_URL: ", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(url, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_bind_from_configuration_and_faults_name_field_and_bounds()
    {
        var options = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["MaxAttempts"] = "0",
            ["AttemptTimeout"] = "00:00:00",
            ["MaxRetryAfter"] = "8.00:00:00",
            ["Deployments:0:Name"] = "a",
            ["Deployments:0:Kind"] = "AzureOpenAI",
            ["Deployments:0:Endpoint"] = "nowhere",
            ["Deployments:0:RequestsPerMinute"] = "0",
            ["Deployments:0:ApiKey"] = "two\nlines",
            ["Deployments:1:Name"] = "a",
            ["Deployments:1:Endpoint"] = "http://h/v1",
            ["Deployments:1:AttemptTimeout"] = "2.00:00:00",
            ["Deployments:2:Endpoint"] = "http://h/v1",
        }).Build().Get<LlmOptions>()!;
        string[] expected =
        [
            "MaxAttempts: 0 is not from 1 to 1000", "AttemptTimeout: 00:00:00 is not above 0 and up to 1.00:00:00",
            "MaxRetryAfter: 8.00:00:00 is not above 0 and up to 7.00:00:00", "Deployments[a].Endpoint: ", "Deployments[a].ApiKey: ",
            "Deployments[a].RequestsPerMinute: 0 is not 1 or more", "Deployments[a].Name: is there twice", "Deployments[a].AttemptTimeout: 2.00:00:00", "Deployments[2].Name: is missing",
        ];
        var faults = options.Faults();
        Assert.Equal(expected.Length, faults.Count);
        Assert.All(expected.Zip(faults), pair => Assert.StartsWith(pair.First, pair.Second, StringComparison.Ordinal));
        Assert.DoesNotContain(faults, fault => fault.Contains("two", StringComparison.Ordinal));
        Assert.Contains("Deployments: at least one", Assert.Throws<LlmSettingsException>(() => CallerHouse.Caller(new LlmOptions())).Message, StringComparison.Ordinal);
    }

    private static IReadOnlyList<DeploymentOptions> Read(params (string Name, string Value)[] variables) =>
        EnvironmentDeployments.Read(name => variables.FirstOrDefault(v => v.Name == name).Value);
}
