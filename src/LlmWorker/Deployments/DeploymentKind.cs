namespace LlmPipeline;

/// <summary>Whose API a deployment speaks.</summary>
public enum DeploymentKind
{
    /// <summary>OpenAI's, as also vLLM, Ollama and many others speak it.</summary>
    OpenAI,

    /// <summary>Azure OpenAI's, with a deployment name and an api-version in the URL. For its newer <c>/openai/v1</c> URLs take <see cref="OpenAI"/>.</summary>
    AzureOpenAI,
}
