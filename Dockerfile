# llmpipe in an image: docker build -t llmpipe . && docker run --rm -v "$PWD:/work" llmpipe run questions.jsonl
FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /build
COPY global.json Directory.Build.props Directory.Packages.props BannedSymbols.txt .editorconfig ./
COPY prompts prompts
COPY src src
RUN dotnet publish src/Cli/Cli.csproj -c Release -o /program

FROM mcr.microsoft.com/dotnet/aspnet:10.0
COPY --from=build /program /program
# The prompt functions lie beside the program, where it looks for them.
COPY prompts /program/prompts
# Inputs and outputs are mounted here; $APP_UID is the image's user without rights.
# A volume for the gateway's files takes over the owner of the folder that it is mounted on.
RUN mkdir /files && chown $APP_UID /files
WORKDIR /work
USER $APP_UID
ENTRYPOINT ["dotnet", "/program/llmpipe.dll"]
CMD ["--help"]
